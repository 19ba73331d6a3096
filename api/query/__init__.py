"""The ledger asked over HTTP, on a listener of its own: who may, what, and how it is answered."""

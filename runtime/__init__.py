"""How it is wired: the Temporal client and worker, the bell and the sweep, the vault, and shutting down."""

"""The auditor's pack: what it holds, and what its verifier finds."""

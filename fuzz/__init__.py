"""What nobody thought of: random calls of every surface, and octets that a coverage-guided fuzzer grows."""

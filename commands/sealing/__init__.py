"""Commands about what is sealed: checkpoint, seal, verify, prove."""

"""The commands behind erasure: erase, certificate, hold."""

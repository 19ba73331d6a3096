"""The certificate of a listener: `tls = { certificate = "…", key = "…" }`."""

from settings.references import File
from settings.table import Table


class Tls(Table):
    """PEM files, relative to the configuration file."""

    certificate: File
    key: File
    client_ca: File | None = None
    """Who must have signed the caller's certificate (mutual TLS); without one any caller may connect."""

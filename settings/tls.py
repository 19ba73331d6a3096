"""The certificate of a listener: `tls = { certificate = "…", key = "…" }`."""

from settings.references import FileOfOne
from settings.table import Table


class Tls(Table):
    """PEM files, relative to the configuration file or among systemd's credentials. Only who listens needs them."""

    certificate: FileOfOne
    key: FileOfOne
    client_ca: FileOfOne | None = None
    """Who must have signed the caller's certificate (mutual TLS); without one any caller may connect."""

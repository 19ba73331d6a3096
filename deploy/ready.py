"""The health check of a listener, `api` or `query`: asks its /health/ready, where there are [metrics] that of theirs.

The listener of metrics has no TLS: one with `tls.client_ca` would ask this check, too, for a certificate.
"""

import os
import ssl
import sys
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_PORTS = {"api": 8080, "query": 8081}


def main(listener: str = "api") -> int:
    """0 while it is ready, 1 if not. Only the standard library: this runs every few seconds."""
    path = Path(os.environ.get("HOOKLEDGER_CONFIG", "hookledger.toml"))
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    url = _at_the_metrics(tables.get("metrics", {}), listener) or _at_itself(
        tables.get(listener, {}), listener
    )
    if url is None:
        print(
            f"{listener}.tls.client_ca asks for a certificate: give [metrics] {listener} = PORT",
            file=sys.stderr,
        )
        return 1
    trusting = ssl.create_default_context()
    trusting.check_hostname = False  # it asks itself: whom its certificate names does not matter here
    trusting.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=3, context=trusting) as answer:  # noqa: S310 - a url of our own
            print(answer.read().decode())
    except (OSError, urllib.error.URLError) as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


def _at_the_metrics(table: dict[str, Any], listener: str) -> str | None:
    """As settings/metrics.py has it."""
    told = os.environ.get("HOOKLEDGER_METRICS_PORT", "")
    port = int(told) if told.isascii() and told.isdigit() and int(told) <= 65_535 else table.get(listener, 0)
    return f"http://{_reached(table)}:{port}/health/ready" if port else None


def _at_itself(table: dict[str, Any], listener: str) -> str | None:
    tls = table.get("tls", {})
    if "client_ca" in tls:
        return None
    return (
        f"{'https' if tls else 'http'}://{_reached(table)}:{table.get('port', _PORTS[listener])}/health/ready"
    )


def _reached(table: dict[str, Any]) -> str:
    host = str(table.get("host", "127.0.0.1"))
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - asked, not bound
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""The health check of a listener, `api` or `query`: asks its own /health/ready, by https where its tls is configured."""

import os
import ssl
import sys
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

_PORTS = {"api": 8080, "query": 8081}


def main(listener: str = "api") -> int:
    """0 while it is ready, 1 if not. Only the standard library: this runs every few seconds."""
    path = Path(os.environ.get("HOOKLEDGER_CONFIG", "hookledger.toml"))
    table = tomllib.loads(path.read_text(encoding="utf-8")).get(listener, {})
    scheme = "https" if "tls" in table else "http"
    trusting = ssl.create_default_context()
    trusting.check_hostname = False  # it asks itself: whom its certificate names does not matter here
    trusting.verify_mode = ssl.CERT_NONE
    url = f"{scheme}://127.0.0.1:{table.get('port', _PORTS[listener])}/health/ready"
    try:
        with urllib.request.urlopen(url, timeout=3, context=trusting) as answer:  # noqa: S310 - a url of our own
            print(answer.read().decode())
    except (OSError, urllib.error.URLError) as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

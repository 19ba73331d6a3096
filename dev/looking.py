"""What whoever starts real processes needs: an environment without their settings, and a look whether they answer."""

import os
import ssl
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection


def plain_environment() -> dict[str, str]:
    """Ours, without anything that says where a Hookledger or a Temporal is."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("HOOKLEDGER_", "TEMPORAL_"))}


def answers(port: int, path: str = "/health/ready", trust: ssl.SSLContext | None = None) -> bool:
    """Whether it says 200 there. By the standard library: a stack must be up before a client library were imported."""
    kind = partial(HTTPSConnection, context=trust) if trust else HTTPConnection
    connection = kind("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()

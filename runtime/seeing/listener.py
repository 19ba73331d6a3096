"""Serves /metrics, /health/live and /health/ready from a thread of its own, which answers though the loop is stuck."""

import json
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

_Page = tuple[HTTPStatus, str, bytes]
Checks = Mapping[str, Callable[[], str]]
"""Each says what is wrong, in words; nothing while all is well. They read memory only."""


MOST_AT_ONCE = 64
"""Threads, one for each who asks; further ones are hung up on."""


class _Few(ThreadingHTTPServer):
    """A thread for each who asks, and not for ever more of them."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._places = threading.BoundedSemaphore(MOST_AT_ONCE)
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()


class Listener:
    """Of one process. Raises OSError where it cannot listen."""

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, live: Checks, ready: Checks
    ) -> None:
        class Handler(_Handler):
            pages: ClassVar[Mapping[str, Callable[[], _Page]]] = {
                "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry)),
                "/health/live": lambda: _health("live", live),
                "/health/ready": lambda: _health("ready", {**live, **ready}),
            }

        self._server = _Few((host, port), Handler)
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listens no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(1)


def _health(word: str, checks: Checks) -> _Page:
    said = {name: check() for name, check in checks.items()}
    well = not any(said.values())
    body = {"status": word if well else f"not {word}"} | {name: words or "ok" for name, words in said.items()}
    status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
    return status, "application/json", json.dumps(body).encode()


class _Handler(BaseHTTPRequestHandler):
    pages: ClassVar[Mapping[str, Callable[[], _Page]]]
    timeout = 5
    server_version = "hookledger"
    sys_version = ""

    def do_GET(self) -> None:
        page = self.pages.get(self.path.partition("?")[0])
        status, kind, body = page() if page else (HTTPStatus.NOT_FOUND, "text/plain", b"see /metrics\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Says nothing: it is asked every few seconds."""

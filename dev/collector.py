"""Stands in for a collector of traces: takes OTLP over HTTP on loopback, and keeps the octets."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Collector:
    """What has been sent so far. `keeps` off, it is only counted."""

    endpoint: str
    keeps: bool = True
    batches: list[bytes] = field(default_factory=list[bytes])
    octets: int = 0

    def took(self, batch: bytes) -> None:
        """One export."""
        self.octets += len(batch)
        if self.keeps:
            self.batches.append(batch)


@contextmanager
def collector(*, keeps: bool = True) -> Generator[Collector]:
    """Listens on a port of its own until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            made.took(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Collector(f"http://127.0.0.1:{server.server_port}/v1/traces", keeps)
    thread = threading.Thread(target=server.serve_forever, name="collector", daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)

"""Stands in for cli.py: migrate, api and worker as small as they can be, to test what runs them.

What a command does is written to `said` in the working directory, a line each. A file `broken-<command>` there makes
that command fail.
"""

import argparse
import os
import signal
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType


def say(text: str) -> None:
    with Path("said").open("a", encoding="utf-8") as file:
        file.write(text + "\n")


def drain(_number: int, _frame: FrameType | None) -> None:
    say(f"{sys.argv[1]} drained")
    os._exit(0)


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's own name
        pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("--port", type=int)
    parser.add_argument("--temporal-ui")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    asked = parser.parse_args()
    if Path(f"broken-{asked.command}").exists():
        sys.exit(f"{asked.command} is broken")
    say(f"{asked.command} started for {os.environ['TEMPORAL_ADDRESS']} {os.environ['TEMPORAL_NAMESPACE']}")
    if asked.command == "migrate":
        return
    signal.signal(signal.SIGTERM, drain)
    if asked.command in ("api", "query"):
        server = HTTPServer(("127.0.0.1", asked.port), _Healthy)
        if asked.certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(asked.certificate, asked.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.serve_forever()
    while True:
        time.sleep(1)


main()

"""The vault and the metrics are places of their own, and what cannot be read ends the scan."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest

from leakscan import places
from leakscan.stack import ScanError, Stack


def _stack(home: Path, port: int = 0) -> Stack:
    for name in ("postgres/pg_wal", "vault", "logs"):
        (home / name).mkdir(parents=True)
    names = ("api", "query", "worker", "temporal")
    stack = Mock(home=home, api_port=port, query_port=port, metrics=dict.fromkeys(names, port))
    return cast("Stack", stack)


def _kinds(stack: Stack) -> dict[str, str]:
    return {place.name: place.kind for place in places.files(stack)}


def test_the_vault_is_looked_through_with_its_keys_and_those_of_the_stack_are_not(tmp_path: Path) -> None:
    stack = _stack(tmp_path)
    for name in ("vault/hour.key", "vault/planted", "first.key", "logs/api.log"):
        (tmp_path / name).write_text(name)
    assert _kinds(stack) == {
        "vault/hour.key": "vault",
        "vault/planted": "vault",
        "logs/api.log": "logs",
    }


def test_without_a_key_in_the_vault_there_is_no_scan(tmp_path: Path) -> None:
    stack = _stack(tmp_path)
    (tmp_path / "vault" / "planted").write_text("planted")
    with pytest.raises(ScanError, match="the vault has no key"):
        _kinds(stack)


@pytest.mark.parametrize("name", ["postgres/1234", "vault/planted", "logs/api.log"])
def test_a_file_may_vanish_from_the_write_ahead_log_only(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = _stack(tmp_path)
    (tmp_path / "vault" / "hour.key").write_text("key")
    segment = "postgres/pg_wal/000000010000000000000001"
    listed = Path.rglob

    def stale(folder: Path, pattern: str) -> list[Path]:
        return [*listed(folder, pattern), tmp_path / vanished]

    monkeypatch.setattr(Path, "rglob", stale)
    vanished = segment
    assert _kinds(stack) == {"vault/hour.key": "vault"}
    vanished = name
    with pytest.raises(ScanError, match="vanished"):
        _kinds(stack)


@contextmanager
def _listener(metrics: bytes) -> Generator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(HTTPStatus.OK)
            self.end_headers()
            self.wfile.write(metrics if self.path == "/metrics" else b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(5)


def test_metrics_are_places_of_their_own_and_must_say_something(tmp_path: Path) -> None:
    with _listener(b"up 1\n") as port:
        found = list(places.listeners(_stack(tmp_path / "one", port)))
    metrics = [place for place in found if place.kind == "metrics"]
    assert [place.name for place in metrics] == ["api", "query", "worker", "temporal"]
    assert all(place.data.endswith(b"up 1\n") for place in metrics)
    assert {place.kind for place in found} == {"answers", "metrics"}
    with _listener(b"") as port, pytest.raises(ScanError, match="the metrics of api cannot be read"):
        list(places.listeners(_stack(tmp_path / "two", port)))

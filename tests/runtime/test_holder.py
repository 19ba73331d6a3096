"""Who keeps checkpoints elsewhere: a file or an address; out of reach it stops nothing, and it is never set back."""

import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ledger.note import Checkpoint, Signer
from ledger.seal import Head
from runtime.holder import AddressKeeper, FileKeeper, hand_over, keeper_of
from settings.sealing import Holder
from tests.ledger.sealing import SIGNER

KEYS = [SIGNER.verifier]
NOBODY: Any = None
"""No store is asked where nothing has to be looked up."""


def head(size: int, signer: Signer = SIGNER) -> Head:
    """A checkpoint of so many leaves."""
    checkpoint = Checkpoint(signer.verifier.name, size, bytes(32))
    return Head(1, checkpoint, signer.sign(checkpoint.text()))


@pytest.fixture
def address() -> Generator[tuple[str, dict[str, str]]]:
    """A server that keeps what it is given; the dict has it, and the token that it came with."""
    kept: dict[str, str] = {}

    class Keeps(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            kept["note"] = self.rfile.read(int(self.headers["Content-Length"])).decode()
            kept["token"] = self.headers.get("Authorization", "")
            self.send_response(204)
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200 if "note" in kept else 404)
            self.end_headers()
            self.wfile.write(kept.get("note", "").encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Keeps)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/checkpoint", kept
    server.shutdown()
    thread.join()
    server.server_close()


async def test_an_address_is_given_the_note_with_its_token(address: tuple[str, dict[str, str]]) -> None:
    url, kept = address
    keeper = AddressKeeper(url, "secret")

    assert await hand_over(keeper, head(3), KEYS, NOBODY) == "kept"
    assert kept == {"note": head(3).note, "token": "Bearer secret"}
    assert await hand_over(keeper, head(3), KEYS, NOBODY) == "kept"


async def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "held.txt")

    assert await hand_over(keeper, head(3), KEYS, NOBODY) == "kept"
    assert (tmp_path / "held.txt").read_text() == head(3).note
    assert [path.name for path in tmp_path.iterdir()] == ["held.txt"]


async def test_a_larger_tree_elsewhere_is_never_replaced(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "held.txt")
    await hand_over(keeper, head(9), KEYS, NOBODY)

    assert await hand_over(keeper, head(3), KEYS, NOBODY) == "refused"
    assert (tmp_path / "held.txt").read_text() == head(9).note


@pytest.mark.parametrize("there", ["", "something else\n", head(2, Signer("else", bytes(32))).note])
async def test_what_is_no_checkpoint_of_ours_is_never_replaced(tmp_path: Path, there: str) -> None:
    (tmp_path / "held.txt").write_text(there)

    assert await hand_over(FileKeeper(tmp_path / "held.txt"), head(3), KEYS, NOBODY) == "refused"
    assert (tmp_path / "held.txt").read_text() == there


async def test_what_is_no_text_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "held.txt").write_bytes(b"\xff\xfe\x00")

    assert await hand_over(FileKeeper(tmp_path / "held.txt"), head(3), KEYS, NOBODY) == "refused"


async def test_out_of_reach_is_said_and_no_more(tmp_path: Path) -> None:
    nowhere = AddressKeeper("http://127.0.0.1:9/", None)

    assert await hand_over(nowhere, head(3), KEYS, NOBODY) == "not reached"
    assert await hand_over(FileKeeper(tmp_path / "no" / "file"), head(3), KEYS, NOBODY) == "not reached"


def test_the_keeper_is_as_configured(tmp_path: Path) -> None:
    assert keeper_of(None) is None
    assert isinstance(keeper_of(Holder(file=tmp_path / "x")), FileKeeper)
    assert isinstance(keeper_of(Holder(url="https://example.com/x")), AddressKeeper)

"""The list outside the store: chained and signed, compared at every start, and done again on a store that lacks it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from temporalio.client import Client
from typer.testing import CliRunner

from cli import app
from ledger import erasures
from ledger.engine import connect_store
from ledger.note import NoteError, Signer, verifiers_of
from ledger.receive import receive
from ledger.verify import Asked, verify
from runtime.erasing import InDoubt, Wish, erase_person, plan_person
from runtime.erasures import (
    AddressShelf,
    FolderShelf,
    Lacking,
    ListBroken,
    NoKeeper,
    Shelf,
    may_serve,
    replay,
)
from runtime.sealer import Sealer
from runtime.sweep import Sweep
from settings import Settings, load
from settings.erasing import ErasureList
from tests.erasing import World, fill, world
from tests.support import Servers, delivery, rows

ROOT = Path(__file__).resolve().parents[2]
SIGNER = Signer("example.com/ledger", bytes(range(32)))


@pytest.fixture(autouse=True)
def _temporal(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)


@pytest.fixture
async def place(servers: Servers, tmp_path: Path) -> AsyncGenerator[World]:
    """A store with the person in it."""
    async with world(servers, tmp_path) as made:
        await fill(made)
        yield made


async def _wish(place: World, login: str = "zsentinel-login") -> Wish:
    return Wish("as100", await place.subject(login), "os:tester", "request", "asked by letter")


def _as_api(settings: Settings) -> Settings:
    """Of a process that may not erase."""
    return settings.model_copy(update={"store": settings.store.model_copy(update={"keeper_url": None})})


def _folder(place: World) -> Path:
    configured = place.settings.ledger.erasures
    assert configured
    assert configured.folder
    return configured.folder


async def _saved(place: World) -> None:
    """A backup: every table as it is now, in a schema of its own."""
    for table in await rows(place.root, _TABLES):
        await place.root.execute("CREATE SCHEMA IF NOT EXISTS saved")
        await place.root.execute(f"CREATE TABLE saved.{table['name']} AS TABLE public.{table['name']}")


async def _restored(place: World) -> None:
    """The backup comes back, past triggers."""
    tables = [table["name"] for table in await rows(place.root, _TABLES)]
    for name in tables:
        await place.root.execute(f"SET session_replication_role = replica; TRUNCATE public.{name};"
                                 f"INSERT INTO public.{name} TABLE saved.{name}")  # fmt: skip


_TABLES = """
    SELECT relname AS name FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
"""


async def test_a_store_older_than_an_erasure_does_not_serve_until_it_is_done_again(place: World) -> None:
    await Sealer(place.settings).seal()
    await _saved(place)
    wish = await _wish(place)
    done = await erase_person(place.settings, wish)
    await _restored(place)
    assert await place.tables_that_name_them() != set()

    with pytest.raises(Lacking, match=r"line 1.*ledger erase --replay"):
        await may_serve(_as_api(place.settings))
    replayed = await replay(place.settings, "os:restorer", "after the restore")

    assert (replayed.done, replayed.not_there) == ([1], [])
    assert await place.tables_that_name_them() == set()
    assert await may_serve(_as_api(place.settings))
    kept = await rows(place.root, "SELECT certificate, replayed_at FROM erasures WHERE id = $1", done.id)
    assert kept[0]["certificate"] == done.erased.certificate
    assert kept[0]["replayed_at"] is not None
    [deed] = await rows(place.root, "SELECT actor, subject, detail FROM entries WHERE outcome = 'erase'")
    assert (deed["actor"], deed["subject"], deed["detail"]["replayed"]) == (
        "os:restorer",
        str(wish.subject),
        1,
    )
    await Sealer(place.settings).seal()
    keys = verifiers_of(place.settings.ledger.seal)
    assert not (await verify(place.settings.store, Asked(keys, (), None), lambda _d, _t: None)).findings
    assert (await replay(place.settings, "os:restorer", "again")).done == []


async def test_the_deed_of_a_restore_erases_again_before_anything_else(
    place: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(tmp_path / "hookledger.toml"))
    await Sealer(place.settings).seal()
    await _saved(place)
    await erase_person(place.settings, await _wish(place))
    await _restored(place)

    async def restored(*more: str) -> dict[str, Any]:
        command = ["ledger", "restored", "--without-temporal", "--json", *more]
        result = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    assert (await restored())["erasures"] == [1]
    assert await place.tables_that_name_them() != set()
    assert (await restored("--yes", "--reason", "the disk died"))["erasures"] == [1]

    assert await place.tables_that_name_them() == set()
    assert await may_serve(_as_api(place.settings))
    deeds = await rows(
        place.root, "SELECT outcome FROM entries WHERE outcome IN ('erase', 'restored') ORDER BY id"
    )
    assert [deed["outcome"] for deed in deeds] == ["erase", "restored"]
    keys = verifiers_of(place.settings.ledger.seal)
    assert not (await verify(place.settings.store, Asked(keys, (), None), lambda _d, _t: None)).findings


async def test_of_a_store_older_than_the_person_it_is_told_that_they_are_not_there(place: World) -> None:
    await _saved(place)
    await receive(place.pool, delivery("latecomer"))
    await erase_person(place.settings, await _wish(place, "latecomer"))
    await erase_person(place.settings, await _wish(place))
    await _restored(place)

    replayed = await replay(place.settings, "os:restorer", "after the restore")

    assert (replayed.done, replayed.not_there) == ([2], [1])
    assert await may_serve(_as_api(place.settings))
    assert await place.tables_that_name_them() == set()
    assert await place.subject("bystander")


async def test_killed_between_list_and_commit_the_next_start_makes_it_good(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction ends as that of a killed process does, when the line is on the disk already."""

    async def killed(*_: object, **__: object) -> None:
        await place.root.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'hookledger_keeper'"
        )
        raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr(erasures, "keep", killed)
        with pytest.raises(InDoubt, match="stands on the list"):
            await erase_person(place.settings, await _wish(place))

    assert [file.name for file in _folder(place).iterdir()] == ["00000001.json"]
    assert await place.tables_that_name_them() != set()
    other = await _wish(place, "bystander")
    with pytest.raises(Lacking):
        await erase_person(place.settings, other)
    with pytest.raises(Lacking):
        await may_serve(_as_api(place.settings))
    assert await may_serve(place.settings)
    assert await place.tables_that_name_them() == set()
    done = await erase_person(place.settings, other)
    assert done.erased.place
    assert done.erased.place.number == 2


async def test_starts_at_once_do_it_again_once(place: World) -> None:
    await _saved(place)
    await erase_person(place.settings, await _wish(place))
    await _restored(place)

    assert await asyncio.gather(*(may_serve(place.settings) for _ in range(4))) == [True] * 4

    assert len(await rows(place.root, "SELECT 1 FROM entries WHERE outcome = 'erase'")) == 1


@pytest.mark.parametrize("command", ["api", "query", "worker"])
async def test_a_process_refuses_to_serve_and_says_what_to_do(
    place: World, tmp_path: Path, command: str
) -> None:
    await _saved(place)
    await erase_person(place.settings, await _wish(place))
    await _restored(place)
    (tmp_path / "keeper.url").unlink()
    environment = os.environ | {"HOOKLEDGER_CONFIG": str(tmp_path / "hookledger.toml")}
    port = ["--port", "0"] if command != "worker" else []

    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "cli.py", command, *port],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 3, done.stderr
    assert f"{command} does not start: the store lacks an erasure" in done.stderr + done.stdout
    assert "./hookledger ledger erase --replay" in done.stderr + done.stdout


async def test_a_process_without_keys_compares_and_acts_on_nothing(place: World, tmp_path: Path) -> None:
    await _saved(place)
    await erase_person(place.settings, await _wish(place))
    (tmp_path / "seal.key").unlink()
    blind = load(tmp_path / "hookledger.toml")
    assert await may_serve(blind)
    await _restored(place)

    with pytest.raises(Lacking):
        await may_serve(blind)
    with pytest.raises(NoKeeper, match="cannot be verified"):
        await replay(blind, "os:restorer", "after the restore")

    assert await place.tables_that_name_them() != set()


async def test_a_list_out_of_reach_holds_no_hook_up(place: World) -> None:
    _folder(place).parent.joinpath("erasures").write_text("not a folder")

    assert not await may_serve(place.settings)


async def test_without_the_keeper_s_role_nothing_is_erased(place: World) -> None:
    with pytest.raises(NoKeeper, match=r"store\.keeper_url is not given"):
        await erase_person(_as_api(place.settings), await _wish(place))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"number": 2}, "says that it is number 2"),
        ({"certificate": "another"}, "not of this text"),
        ({"previous": "11" * 32}, "not of this text"),
        ({"previous": 7}, "no line of a list"),
    ],
)
async def test_a_line_that_was_changed_is_named(place: World, change: dict[str, Any], words: str) -> None:
    await _saved(place)
    await erase_person(place.settings, await _wish(place))
    await _restored(place)
    file = _folder(place) / "00000001.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))

    with pytest.raises(ListBroken, match=words):
        await may_serve(place.settings)

    assert await place.tables_that_name_them() != set()


async def test_a_line_of_another_s_key_and_another_list_are_not_ours(place: World, tmp_path: Path) -> None:
    done = await erase_person(place.settings, await _wish(place))
    await erase_person(place.settings, await _wish(place, "bystander"))
    stranger = Signer("example.com/ledger", bytes(32))
    line = erasures.write_line(2, erasures.NOTHING, done.erased.certificate, stranger)
    with pytest.raises(NoteError, match="signed by"):
        erasures.read_line(line, 2, [SIGNER.verifier])
    again = erasures.write_line(2, erasures.NOTHING, done.erased.certificate, SIGNER)
    (_folder(place) / "00000002.json").write_text(again)
    with pytest.raises(ListBroken, match="another one than the store's"):
        await may_serve(place.settings)


class _Address(BaseHTTPRequestHandler):
    kept: dict[str, bytes]
    seen: list[str]

    def do_GET(self) -> None:
        found = self.kept.get(self.path)
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(found or b"")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(f"{self.headers['If-None-Match']} {self.headers['Authorization']}")
        there = self.path in self.kept
        self.kept.setdefault(self.path, body)
        self.send_response(412 if there else 201)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@contextmanager
def _address() -> Generator[tuple[str, type[_Address]]]:
    handler = type("Handler", (_Address,), {"kept": {}, "seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/list", handler
        server.shutdown()


@pytest.mark.parametrize("kind", ["folder", "address"])
async def test_a_shelf_takes_each_number_once(kind: str, tmp_path: Path) -> None:
    with _address() as (url, handler):
        shelf: Shelf = FolderShelf(tmp_path / "list") if kind == "folder" else AddressShelf(url, "secret")

        assert await shelf.read(1) is None
        both = await asyncio.gather(*(shelf.add(1, f"line {n}") for n in range(8)))
        assert sorted(both) == [False] * 7 + [True]
        assert (await shelf.read(1) or "") == f"line {both.index(True)}\n"
        assert await shelf.read(2) is None
        assert kind == "folder" or set(handler.seen) == {"* Bearer secret"}
        assert kind == "address" or [f.name for f in (tmp_path / "list").iterdir()] == ["00000001.json"]


async def test_the_sweep_erases_who_waited_for_it(place: World, client: Client) -> None:
    planned = await plan_person(place.settings, await _wish(place))
    engine = connect_store(place.settings.store, "test")

    await Sweep(engine, client, _as_api(place.settings)).erase_due()
    assert await place.tables_that_name_them() != set()
    await Sweep(engine, client, place.settings).erase_due()

    assert await place.tables_that_name_them() == set()
    [deed] = await rows(place.root, "SELECT b.body FROM erasures e JOIN bodies b ON b.delivery = e.id")
    assert str(planned.id) in deed["body"]
    await engine.dispose()


async def test_a_list_elsewhere_does_as_well(place: World) -> None:
    with _address() as (url, handler):
        listed = place.settings.ledger.model_copy(update={"erasures": ErasureList(url=url)})
        settings = place.settings.model_copy(update={"ledger": listed})
        done = await erase_person(settings, await _wish(place))
        assert await may_serve(_as_api(settings))
        assert done.erased.place == erasures.Place(
            1, erasures.hash_line(handler.kept["/list/00000001.json"].decode())
        )

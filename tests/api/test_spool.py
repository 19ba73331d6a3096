"""Events while the store is away are kept on disk and recorded afterwards, in order, once (DESIGN §6, CASES 12)."""

import asyncio
import contextlib
import errno
import json
import logging
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from api import replaying
from chaos.relay import Relay
from ledger.engine import Pool
from ledger.receive import receive
from runtime.spool import Journal, Spool, opening
from runtime.spool.frames import Frame
from runtime.spool.journal import Entry
from settings import Settings, Store
from settings.spool import LONGEST, MOST_BODY
from tests.api.edge import Edge, configure, listen, logged
from tests.api.leaks import PASSWORD
from tests.api.people import person, unique
from tests.support import Servers, rows

DEADLINE = 1.0


class Away:
    """A store that can be taken away, and edges on one host that share a spool."""

    def __init__(self, relay: Relay, pool: Pool, settings: Settings) -> None:
        self.relay, self.pool, self.settings = relay, pool, settings

    async def hooks(self, login: str, least: int) -> list[tuple[str, list[str]]]:
        """What the ledger has of a person: hook and outcomes of each delivery, by seq, once there are so many."""
        found: list[dict[str, Any]] = []
        for _ in range(200):
            found = [dict(row) for row in await rows(self.pool, _DELIVERIES, login.lower())]
            if len(found) >= least:
                break
            await asyncio.sleep(0.05)
        return [(row["hook"], row["outcomes"]) for row in found]


_DELIVERIES = """
    SELECT d.hook, array(SELECT e.outcome FROM entries e WHERE e.delivery = d.id AND e.activity IS NULL ORDER BY e.id) AS outcomes
      FROM deliveries d JOIN handles h ON h.subject = d.subject AND h.kind = 'login' AND h.value = $1 ORDER BY d.seq
"""


@pytest.fixture
async def away(
    servers: Servers, store: Store, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Away]:
    relay = Relay([servers.port])
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    async with relay.plugged() as port:
        lost = Store(url=store.url.replace(f":{servers.port}/", f":{port}/"), owner_url=store.owner_url)
        api = f'deadline = {DEADLINE}\n[spool]\nfolder = "spool"'
        yield Away(relay, pool, configure(tmp_path, lost, api=api))


@asynccontextmanager
async def _two(settings: Settings) -> AsyncGenerator[tuple[Edge, Edge]]:
    async with listen(settings) as one, listen(settings) as two:
        yield one, two


async def _ready(edge: Edge) -> tuple[int, dict[str, Any]]:
    got = await edge.http.get(f"http://127.0.0.1:{edge.port}/health/ready")
    return got.status_code, got.json()


async def _until_empty(edge: Edge) -> None:
    """What is recorded is in the ledger first, and out of the spool a moment later."""
    async with asyncio.timeout(5):
        while edge.app.state.receiver.spool.waits:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)


async def test_events_are_taken_and_recorded_in_order_whichever_process_took_them(away: Away) -> None:
    user = person() | {"id": unique()}
    async with _two(away.settings) as edges:
        await edges[0].answer("postCreateUser", {"user": user})
        away.relay.cut()
        for n in range(6):
            name = "postUpdateUser" if n % 2 else "preProvision"
            more = {"applicationId": f"app{n}"} if name == "preProvision" else {}
            assert await edges[n % 2].answer(name, {"user": user | {"city": f"c{n}"}, **more}) is not None
        status, health = await _ready(edges[1])
        assert (status, health["status"], health["store"]) == (200, "ready", "out of reach")
        assert health["spool"]["records"] >= 3
        away.relay.mend()
        assert await edges[1].answer("postUpdateUser", {"user": user | {"city": "last"}}) == {}
        found = await away.hooks(user["login"], 8)
        await _until_empty(edges[0])
        assert (await _ready(edges[0]))[1]["spool"]["records"] == 0
    assert [hook for hook, _ in found] == [
        "postCreateUser",
        *["preProvision", "postUpdateUser"] * 3,
        "postUpdateUser",
    ]
    spooled = [outcomes for hook, outcomes in found[1:] if hook == "postUpdateUser"]
    assert all("spooled" in outcomes for outcomes in spooled[:3])


async def test_a_start_without_the_store_takes_hooks_and_the_next_start_records_them(away: Away) -> None:
    user = person()
    away.relay.cut()
    async with listen(away.settings) as edge:
        assert await edge.answer("postCreateUser", {"user": user}) == {}
        refused = await edge.answer("validateUser", {"user": user})
        assert refused["message"] == "ValidationUnavailable"
    away.relay.mend()
    async with listen(away.settings):
        found = await away.hooks(user["login"], 2)
    assert [(hook, outcomes[0]) for hook, outcomes in found] == [
        ("postCreateUser", "received"),
        ("validateUser", "turned away"),
    ]


async def test_what_was_stored_although_no_answer_came_is_recorded_once(away: Away) -> None:
    """The connection breaks between commit and answer: the hook is in the store and in the spool."""
    user = person()
    async with listen(away.settings) as edge:
        receiver = edge.app.state.receiver
        await edge.answer("postCreateUser", {"user": user})

        async def deaf(*args: Any, **more: Any) -> Any:
            await receive(*args, **more)
            raise ConnectionResetError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("api.receive.receive", deaf)
            assert await edge.answer("postUpdateUser", {"user": user}) == {}
            assert receiver.spool.figures().appended == 1
        await _until_empty(edge)
        found = await away.hooks(user["login"], 2)
    assert [hook for hook, _ in found] == ["postCreateUser", "postUpdateUser"]


async def test_a_decision_waits_for_what_is_spooled_of_the_same_person(away: Away, tmp_path: Path) -> None:
    """Their record must not come before the event that the platform was answered for earlier."""
    user, other = person(), person()
    async with listen(away.settings) as edge:
        elsewhere = Journal(tmp_path / "spool", [b"k" * 32], 1_000_000)
        with contextlib.closing(elsewhere), elsewhere.reading() as mine:  # nobody records meanwhile
            assert mine
            away.relay.cut()
            await edge.answer("postCreateUser", {"user": user})
            away.relay.mend()
            await asyncio.sleep(1.1)  # the breaker's pause
            assert "data" in await edge.answer("validateUser", {"user": other})
            late = await edge.answer("validateUpdateUser", {"user": user})
            assert late["message"] == "ValidationUnavailable"
        found = await away.hooks(user["login"], 2)
    assert [hook for hook, _ in found] == ["postCreateUser", "validateUpdateUser"]


async def test_no_secret_and_no_name_is_in_the_files(away: Away, tmp_path: Path) -> None:
    user = person() | {"password": PASSWORD}
    with logged() as log:
        async with listen(away.settings) as edge:
            away.relay.cut()
            await edge.answer("changePassword", {"user": user, "passwordText": PASSWORD})
            octets = b"".join(f.read_bytes() for f in (tmp_path / "spool").rglob("*") if f.is_file())
            spool = edge.app.state.receiver.spool
            [frame] = await spool.on_thread(spool.journal.next)
            text = spool.journal.open(frame)
    assert PASSWORD.encode() not in octets
    assert user["login"].encode() not in octets
    assert text is not None
    assert PASSWORD.encode() not in text
    assert PASSWORD not in "\n".join(log.lines)


async def test_a_full_spool_refuses_events_and_says_so(away: Away, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    small = away.settings.spool.model_copy(update={"max_bytes": 100})
    away.relay.cut()
    async with listen(away.settings.model_copy(update={"spool": small})) as edge:
        for _ in range(4):
            got = await edge.hook("postCreateUser", {"user": person()})
            assert (got.status_code, got.headers["retry-after"]) == (503, "2")
        assert (await _ready(edge))[0] == 503
        # Decisions are answered all the same, and remembered by the process.
        assert (await edge.answer("validateUser", {"user": person()}))["error"] is True


async def test_a_record_that_can_never_be_stored_holds_nothing_up(away: Away, tmp_path: Path) -> None:
    user = person()
    async with listen(away.settings) as edge:
        away.relay.cut()
        await edge.answer("postCreateUser", {"user": user})
        spool = edge.app.state.receiver.spool
        await spool.append(json.dumps([{"nonsense": 1}]).encode(), 1, (0, 0))
        await edge.answer("postUpdateUser", {"user": user})
        away.relay.mend()
        found = await away.hooks(user["login"], 2)
        assert spool.figures().damaged == 1
    assert [hook for hook, _ in found] == ["postCreateUser", "postUpdateUser"]
    assert len(list((tmp_path / "spool" / "damaged").iterdir())) == 1


async def test_a_record_that_cannot_even_be_set_aside_waits_until_it_can(
    away: Away, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a full disk would make the spool forget what was answered."""
    real, tries = Journal.set_aside, list[bool]()

    def set_aside(self: Journal, frame: Frame) -> None:
        tries.append(True)
        if len(tries) < 3:
            raise OSError(errno.ENOSPC, "full")
        real(self, frame)

    monkeypatch.setattr(Journal, "set_aside", set_aside)
    user = person()
    async with listen(away.settings) as edge:
        away.relay.cut()
        await edge.answer("postCreateUser", {"user": user})
        await edge.app.state.receiver.spool.append(json.dumps([{"nonsense": 1}]).encode(), 1, (0, 0))
        away.relay.mend()
        await away.hooks(user["login"], 1)
        for _ in range(200):
            if len(tries) == 3:
                break
            await asyncio.sleep(0.05)
    assert len(tries) == 3
    assert len(list((tmp_path / "spool" / "damaged").iterdir())) == 1


async def test_a_decision_does_not_wait_for_a_slow_disk(away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept in memory then, and recorded all the same."""

    async def never(*_: object) -> None:
        await asyncio.sleep(60)

    user = person()
    monkeypatch.setattr(Spool, "append", never)
    async with listen(away.settings) as edge:
        away.relay.cut()
        started = time.monotonic()
        assert (await edge.answer("validateUser", {"user": user}))["message"] == "ValidationUnavailable"
        assert time.monotonic() - started < away.settings.api.deadline
        away.relay.mend()
        assert [hook for hook, _ in await away.hooks(user["login"], 1)] == ["validateUser"]


async def test_an_event_is_kept_once_and_answered_within_the_deadline_by_a_slow_disk(
    away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who gives up waiting for the disk gives up no record: what is on its way there gets there."""
    append = Journal.append

    def slow(journal: Journal, entries: Sequence[Entry]) -> None:
        time.sleep(DEADLINE * 1.2)
        append(journal, entries)

    users = person(), person()
    monkeypatch.setattr(Journal, "append", slow)
    async with listen(away.settings) as edge:
        away.relay.delay = 3.0  # the second event finds the first on its way to the disk
        for user in users:
            started = time.monotonic()
            answer = await edge.hook("postCreateUser", {"user": user})
            assert time.monotonic() - started < DEADLINE + 0.2
            assert answer.status_code == 503
        away.relay.delay = 0.0
        away.relay.cut()
        await asyncio.sleep(DEADLINE * 3)
        assert (await _ready(edge))[1]["spool"]["records"] == len(users)
        away.relay.mend()
        for user in users:
            assert [hook for hook, _ in await away.hooks(user["login"], 1)] == ["postCreateUser"]


async def test_what_was_spooled_is_recorded_beside_callers_who_never_stop(away: Away) -> None:
    """They hand their connections on to each other; health asks the store beside them, too."""
    user = person()
    async with listen(away.settings) as edge, asyncio.TaskGroup() as callers:
        away.relay.cut()
        await edge.answer("postCreateUser", {"user": user})
        away.relay.mend()
        stopped = asyncio.Event()

        async def ask() -> None:
            while not stopped.is_set():
                await edge.hook("validateUser", {"user": person()})

        for _ in range(4 * away.settings.store.pool_size):
            callers.create_task(ask())
        try:
            assert [hook for hook, _ in await away.hooks(user["login"], 1)] == ["postCreateUser"]
            assert edge.app.state.receiver.admission.waiting()
            assert (await _ready(edge))[1]["store"] == "ok"
        finally:
            stopped.set()


async def _until_open(edge: Edge) -> None:
    async with asyncio.timeout(10):
        while edge.app.state.receiver.spool.trouble:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)


@contextlib.contextmanager
def _full_disk() -> Generator[None]:
    """As far as opening a spool is concerned."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.posix_fallocate", full)
        yield


async def test_a_folder_that_cannot_be_used_at_the_start_is_tried_again(
    away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was answered before waits there: nothing of that person may be recorded before it."""
    monkeypatch.setattr(opening, "AGAIN", 0.1)
    user = person()
    away.relay.cut()
    async with listen(away.settings) as edge:
        assert await edge.answer("postCreateUser", {"user": user}) == {}
    away.relay.mend()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_full_disk())
        async with listen(away.settings) as edge:
            status, health = await _ready(edge)
            assert (status, health["status"], health["store"]) == (503, "not ready", "ok")
            assert "No space left on device" in health["spool"]
            refused = await edge.hook("postUpdateUser", {"user": user})
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
            late = await edge.answer("validateUpdateUser", {"user": user})
            assert late["message"] == "ValidationUnavailable"

            stack.close()
            await _until_open(edge)
            found = await away.hooks(user["login"], 1)
            assert found[0] == ("postCreateUser", ["received", "spooled"])
            assert await edge.answer("postUpdateUser", {"user": user}) == {}
            assert (await _ready(edge))[0] == 200


async def test_where_nothing_can_wait_hooks_are_recorded_though_the_folder_cannot_be_used(
    away: Away, tmp_path: Path
) -> None:
    (tmp_path / "spool").mkdir()
    user = person()
    with _full_disk():
        async with listen(away.settings) as edge:
            assert await edge.answer("postCreateUser", {"user": user}) == {}
            assert (await _ready(edge))[0] == 503
            away.relay.cut()
            assert (await edge.hook("postUpdateUser", {"user": user})).status_code == 503
            status, health = await _ready(edge)
            assert (status, health["store"]) == (503, "out of reach")
            away.relay.mend()
    assert await away.hooks(user["login"], 1) == [("postCreateUser", ["received"])]


async def test_a_folder_that_cannot_be_looked_into_may_hold_anything(away: Away, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("no folder")
    async with listen(away.settings) as edge:
        assert (await edge.hook("postCreateUser", {"user": person()})).status_code == 503
        assert "spool" in (await _ready(edge))[1]


async def test_a_record_that_can_never_be_stored_is_set_aside_once_however_long_the_store_is_away(
    away: Away, tmp_path: Path
) -> None:
    """It is tried beside an earlier one that fails with the store, so that nothing is done and all is read again."""
    user, tries = person(), list[int]()
    async with listen(away.settings) as edge:
        spool = edge.app.state.receiver.spool
        away.relay.cut()
        await edge.answer("postCreateUser", {"user": user})
        await spool.append(json.dumps([{"nonsense": 1}]).encode(), 1, (0, 0))
        with pytest.MonkeyPatch.context() as patch:
            real = Journal.next

            def counted(self: Journal) -> list[Frame]:
                tries.append(1)
                return real(self)

            patch.setattr(Journal, "next", counted)
            async with asyncio.timeout(15):
                while len(tries) < 3:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.05)
        assert not (tmp_path / "spool" / "damaged").exists()
        away.relay.mend()
        assert [hook for hook, _ in await away.hooks(user["login"], 1)] == ["postCreateUser"]
        await _until_empty(edge)
        assert spool.figures().damaged == 1
    assert len(list((tmp_path / "spool" / "damaged").iterdir())) == 1


async def test_a_record_whose_recording_was_cancelled_waits_on(
    away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tries = replaying.record_spooled, list[int]()

    async def record_spooled(*given: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise asyncio.CancelledError
        return await real(*given)

    monkeypatch.setattr(replaying, "record_spooled", record_spooled)
    user = person()
    async with listen(away.settings) as edge:
        away.relay.cut()
        assert await edge.answer("postCreateUser", {"user": user}) == {}
        away.relay.mend()
        assert [hook for hook, _ in await away.hooks(user["login"], 1)] == ["postCreateUser"]
        await _until_empty(edge)


@pytest.mark.parametrize("grows", ["1e15,", '"\\"",', '"\\u0001",', '"",', '"अ",', "{},"])
async def test_no_record_is_longer_than_the_bound_of_bodies_reckons_with(away: Away, grows: str) -> None:
    """Its JSON is written anew where a secret is cut out, and stands in the record's JSON as a text."""
    many = grows * (200_000 // len(grows.encode()))
    user = json.dumps(person())
    body = f'{{"request":{{"user":{user},"passwordText":"{PASSWORD}","more":[{many}0]}}}}'.encode()
    async with listen(away.settings) as edge:
        away.relay.cut()
        got = await edge.send(f"{edge.settings.api.prefix}/postCreateUser", body)
        assert got.status_code == 200, got.text
        spool = edge.app.state.receiver.spool
        [frame] = await spool.on_thread(spool.journal.next)
    assert frame.end <= LONGEST // MOST_BODY * len(body)

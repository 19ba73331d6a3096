"""What an api does beside answering goes on, whatever one part of it meets; and everything is closed at the end."""

import asyncio
import getpass
from typing import Any, cast

import pytest
from fastapi import FastAPI

from api import app as module
from api.background import Background
from ledger.engine import Pool
from rules.policy import Policy
from runtime.bell import Bell
from settings import Store
from tests.api.edge import listen, logged
from tests.api.people import person
from tests.api.test_spool import Away, away

__all__ = ["away"]


async def _recorded_later(away: Away) -> list[str]:
    """A hook that comes while the store is away, and what the ledger has of it once that is back."""
    user = person()
    async with listen(away.settings) as edge:
        await asyncio.sleep(1.5)  # a round or two of what is done beside
        away.relay.cut()
        assert await edge.answer("postCreateUser", {"user": user}) == {}
        away.relay.mend()
        return [hook for hook, _ in await away.hooks(user["login"], 1)]


async def test_a_user_without_a_name_is_no_reason_to_stop(
    away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`docker run --user 54321`, say."""

    def getuser() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    monkeypatch.setattr(getpass, "getuser", getuser)
    with logged() as log:
        assert await _recorded_later(away) == ["postCreateUser"]
    assert not [line for line in log.lines if "fault" in line]


@pytest.mark.parametrize("what", ["note_rung_by_pool", "note_loaded", "keep_rules", "refresh"])
async def test_a_fault_of_one_part_does_not_stop_the_others(
    away: Away, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    async def fault(*_: object) -> None:
        raise LookupError("somebody's name")

    def rung(_: Bell) -> list[str]:
        return ["somebody"]

    monkeypatch.setattr(f"api.background.{what}", fault)
    monkeypatch.setattr(Bell, "rung", rung)
    with logged() as log:
        assert await _recorded_later(away) == ["postCreateUser"]
    assert [line for line in log.lines if "fault LookupError" in line]
    assert not [line for line in log.lines if "somebody's name" in line]


async def test_a_fault_of_the_whole_begins_anew(away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    real, rounds = Background.write_notes, list[int]()

    async def write_notes(self: Background) -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise LookupError
        await real(self)

    monkeypatch.setattr(Background, "write_notes", write_notes)
    assert await _recorded_later(away) == ["postCreateUser"]
    assert len(rounds) > 1


async def test_whatever_fails_at_the_end_everything_is_closed(
    away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fault(*_: object) -> None:
        raise LookupError("somebody's name")

    monkeypatch.setattr(Bell, "drain", fault)
    monkeypatch.setattr(Background, "stop", fault)
    monkeypatch.setattr("api.auth.Verifier.close", fault)
    with logged() as log:
        async with listen(away.settings) as edge:
            state = edge.app.state
            await edge.answer("postCreateUser", {"user": person()})
    assert state.receiver.pool.is_closing()
    assert state.errands.is_closing()
    assert state.receiver.tools.http.is_closed
    with pytest.raises(ValueError, match="closed"):
        state.receiver.spool.figures()
    assert [line for line in log.lines if "closing the bell: fault LookupError" in line]


async def test_a_start_that_fails_closes_what_it_opened(away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = list[Pool]()

    def fault(_: object) -> dict[str, Policy]:
        raise LookupError

    monkeypatch.setattr("api.app.compiled", fault)
    real = module.open_pool

    async def open_pool(settings: Store, name: str, *, walled: bool) -> Pool:
        opened.append(await real(settings, name, walled=walled))
        return opened[0]

    monkeypatch.setattr(module, "open_pool", open_pool)
    app = FastAPI()
    with pytest.raises(LookupError):
        async with module.living(app, away.settings):
            pass
    assert cast("Any", opened[0]).is_closing()

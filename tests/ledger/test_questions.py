"""Each question says what is so, of a small world in which each has something to say."""

import json
import uuid
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import Pool, connect_store
from ledger.operate import Order, operate, release_brake
from ledger.people import END, ENDING, GRANT
from ledger.plan import Plan, Ref
from ledger.questions import questions
from ledger.receive import Fact, Note, Planned, Receipt, plan_text, receive
from ledger.work import Ending, Write, apply_writes, claim, settle
from settings import Store
from tests.commands.databases import database
from tests.conftest import TEMPLATE
from tests.ledger.asking import ask
from tests.support import Servers, delivery

APP, OTHER = "620231fee789224ec1cec3dd", "crm"
TODAY = datetime.now(UTC)


@pytest.fixture
async def store(servers: Servers) -> AsyncGenerator[Store]:
    """A database of the test's own: counts are of everything in it."""
    async with database(servers, TEMPLATE) as store:
        yield store


class World:
    """What platform, workers and operators do."""

    def __init__(self, pool: Pool, engine: AsyncEngine) -> None:
        self.pool = pool
        self.engine = engine

    async def send(
        self,
        login: str,
        hook: str = "postProvision",
        *activities: str,
        outcome: str | None = None,
        **more: Any,
    ) -> tuple[uuid.UUID, Receipt]:
        """One delivery that causes this work, all settled with one outcome if that is given."""
        details, bookkeeping = more.pop("details", {}), more.pop("bookkeeping", False)
        work = [
            Planned(a, a, plan_text(Plan(bookkeeping=bookkeeping)), timedelta(0), waits=False)
            for a in activities
        ]
        d = delivery(login, hook, work=work, **more)
        receipt = await receive(self.pool, d)
        if outcome:
            await self.settle(d.id, *activities, outcome=outcome, details=details)
        return d.id, receipt

    async def settle(self, id_: uuid.UUID, *activities: str, outcome: str, details: Any = None) -> None:
        """As bind does."""
        held = outcome == "held"
        async with self.engine.begin() as connection:
            for activity in activities:
                ref = Ref(str(id_), activity)
                assert isinstance(await claim(connection, [ref], lease=0), tuple)
                await settle(
                    connection,
                    [Ending(ref, 1, outcome, details or {}, "no route", held)],
                    "test",
                )

    async def write(self, sql: str, **values: Any) -> None:
        """A statement of an activity."""
        async with self.engine.begin() as connection:
            await apply_writes(connection, [Write(sql, values)])

    async def grant(
        self, login: str, at: datetime, *roles: str, app: str = APP
    ) -> tuple[uuid.UUID, uuid.UUID]:
        """Somebody gets an application; gives them and the delivery."""
        id_, receipt = await self.send(login, "postProvision", application=app)
        assert receipt.subject is not None
        await self.write(GRANT, tenant="as100", subject=str(receipt.subject), application=app, roles=["", *roles],
                         uid=None, at=at, delivery=str(id_))  # fmt: skip
        return receipt.subject, id_

    async def end(self, subject: uuid.UUID, at: datetime, by: uuid.UUID, role: str | None = None) -> None:
        """Their access ends."""
        await self.write(END, subject=str(subject), application=APP, role=role, at=at, delivery=str(by))

    async def ask(self, name: str, **given: Any) -> Any:
        """All rows."""
        return await ask(self.engine, name, **given)


@pytest.fixture
def world(pool: Pool, engine: AsyncEngine) -> World:
    return World(pool, engine)


def _day(number: int) -> datetime:
    return datetime(2026, 11, number, 12, tzinfo=UTC)


async def test_who_had_an_application_on_a_day(world: World) -> None:
    asha, got = await world.grant("asha", _day(5), "r1")
    bina, _ = await world.grant("bina", _day(10))
    await world.grant("chitra", _day(5), app=OTHER)
    ending, _ = await world.send(
        "asha", "postProvision", application=APP, actor="user:admin", acting_for="user:boss"
    )
    await world.end(asha, _day(15), ending, "r1")
    await world.end(asha, _day(20), ending)

    async def on(day: str) -> list[tuple[str, str]]:
        return [(r["login"], r["role"]) for r in await world.ask("who-had", application=APP, on=day)]

    assert await on("2026-11-04") == []
    assert await on("2026-11-05") == await on("2026-11-09") == [("asha", ""), ("asha", "r1")]
    assert await on("2026-11-10") == await on("2026-11-15") == [("asha", ""), ("asha", "r1"), ("bina", "")]
    assert await on("2026-11-16") == await on("2026-11-20") == [("asha", ""), ("bina", "")]
    assert await on("2026-11-21") == [("bina", "")]
    assert await on("2100-01-01") == [("bina", "")]
    assert await world.ask("who-had", application=APP, on="2026-11-10", tenant="other") == []
    row = (await world.ask("who-had", application=APP, on="2026-11-10"))[0]
    assert (row["since"], row["until"], row["state"]) == (_day(5), _day(20), "ended confirmed")
    assert (row["got_by"], row["got_from"], row["got_receipt"]) == ("postProvision", "tester", got)
    assert (row["lost_by"], row["lost_from"], row["lost_for"], row["lost_receipt"]) == (
        "postProvision", "user:admin", "user:boss", ending
    )  # fmt: skip
    assert bina != asha


async def test_spells_at_the_edges_of_time_and_ends_before_their_beginning(world: World) -> None:
    asha, by = await world.grant("asha", _day(5))
    await world.end(asha, _day(3), by)  # a redrive out of order
    await world.grant("bina", datetime(1970, 1, 1, tzinfo=UTC))
    await world.grant("chitra", datetime(3000, 1, 1, tzinfo=UTC))
    assert [r["login"] for r in await world.ask("who-had", application=APP, on="2026-11-05")] == ["bina"]
    assert [r["login"] for r in await world.ask("who-had", application=APP, on="1999-01-01")] == ["bina"]
    assert len(await world.ask("who-had", application=APP, on="9998-01-01")) == 2


_SPELLS = """
    INSERT INTO entitlements (tenant, subject, application, role, state, since, until, opened_by)
    SELECT 'as100', gen_random_uuid(), :app, '', 'ended confirmed', at, at + interval '1 day', gen_random_uuid()
      FROM generate_series(timestamptz '2000-01-01Z', '2050-01-01Z', '1 day') AS at
"""


async def test_intervals_are_searched_by_their_index(world: World, store: Store) -> None:
    """The condition is the index's own expression: spelled otherwise, every spell of all time would be read."""
    question = questions()["who-had"]
    asked = question.parameters.model_validate({"tenant": "as100", "application": APP, "on": "2026-11-10"})
    values = asked.values() | {f"after_{k}": v for k, v in zip(question.key, question.first(), strict=True)}
    owner = connect_store(store.model_copy(update={"url": store.owner_url}), "test")
    async with owner.begin() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = 0"))
        await connection.execute(text(_SPELLS), {"app": APP})
        await connection.execute(text("ANALYZE entitlements"))
        await connection.execute(text(question.sql), values | {"limit": 10})
        used = text("SELECT pg_stat_get_xact_numscans('entitlements_held'::regclass)")
        assert (await connection.execute(used)).scalar_one() == 1
    await owner.dispose()
    assert (
        len(await world.ask("who-had", application=APP, on="2026-11-10")) == 1
    )  # and not the one that ended as it began


async def test_joiners_movers_and_leavers(world: World) -> None:
    await world.send("asha", "postCreateUser")
    await world.send("asha", "postCreateUser")  # told again
    await world.send("bina", "import", verdict="imported")
    for changed, outcome in (
        (["mobile"], "changed"),
        (["department", "mobile"], "changed"),
        ("unknown: first seen", "changed"),
        (["status"], "left"),
        (["status"], "left"),
        (["status"], "changed"),
        (["status"], "left"),
    ):
        await world.send("bina", "postUpdateUser", "change", outcome=outcome, details={"changed": changed})
    quarter = f"{TODAY.year}Q{(TODAY.month + 2) // 3}"
    found = await world.ask("joiners-movers-leavers", period=quarter)
    assert [(r["kind"], r["login"], r["changed"]) for r in found] == [
        ("joiner", "asha", None),
        ("mover", "bina", ["department", "mobile"]),
        ("leaver", "bina", None),
        ("leaver", "bina", None),
    ]
    assert len(await world.ask("joiners-movers-leavers", period=str(TODAY.year), kind="mover")) == 1
    assert await world.ask("joiners-movers-leavers", period=str(TODAY.year - 1)) == []


async def test_leavers_whose_access_did_not_end_in_time(world: World) -> None:
    left = Fact("DELETE", left=True, archived=False, version=None, updated=None)
    for login, ended_after in (
        ("asha", None),
        ("bina", timedelta(hours=1)),
        ("chitra", timedelta(hours=30)),
        ("diya", None),
    ):
        subject, by = await world.grant(login, TODAY - timedelta(days=90))
        if login != "diya":
            await world.send(login, "postUpdateUser", identity=left, fact=True)
        if ended_after is not None:
            await world.end(subject, datetime.now(UTC) + ended_after, by)
    late = await world.ask("leavers-with-access", hours=0)
    assert [(r["login"], r["hours_late"]) for r in late] == [("asha", 0), ("bina", 1), ("chitra", 30)]
    assert [r["login"] for r in await world.ask("leavers-with-access")] == ["chitra"]
    # The clock of runDeprovision began before they were deleted.
    await world.write(
        ENDING, subject=str(late[0]["subject"]), application=None, at=TODAY - timedelta(hours=50)
    )
    [first, _] = await world.ask("leavers-with-access")
    assert (first["login"], first["state"], first["until"], first["hours_late"]) == (
        "asha",
        "ending",
        None,
        26,
    )


async def test_refused_shadowed_and_degraded_decisions(world: World) -> None:
    await world.send("asha", "validateUser", verdict="refused", codes=["rule:hours"])
    await world.send(
        "bina", "validateUser", verdict="passed", notes=[Note("would refuse", '{"rule": "hours"}')]
    )
    await world.send(
        "chitra", "validateUser", verdict="passed unchecked", notes=[Note("would have passed", "{}")]
    )
    await world.send("diya", "runDeprovision", verdict="braked")
    await world.send("esha", "validateUser", verdict="passed")
    found = await world.ask("decisions")
    assert [(r["login"], r["kind"], r["outcome"]) for r in found] == [
        ("asha", "refused", "refused"),
        ("bina", "shadowed", "would refuse"),
        ("chitra", "degraded", "passed unchecked"),
        ("diya", "refused", "braked"),
    ]
    assert found[0]["detail"] == {"attributes": ["rule:hours"]}
    assert [r["login"] for r in await world.ask("decisions", kind="shadowed")] == ["bina"]


async def test_failures_that_are_open_now(world: World) -> None:
    await world.send("asha", "postProvision", "mail", outcome="failed")
    await world.send("bina", "postProvision", "mail", outcome="held")
    await world.send("chitra", "postProvision", "mail", outcome="done")
    again, _ = await world.send("diya", "postProvision", "mail", outcome="failed")
    async with world.engine.begin() as connection:
        await operate(connection, Order("redrive", "os:op", "mended", uuid.uuid4(), "test", delivery=again))
    found = await world.ask("failures")
    assert [(r["login"], r["activity"], r["state"], r["said"]) for r in found] == [
        ("asha", "mail", "failed", "no route"),
        ("bina", "mail", "held", "no route"),
    ]


async def test_what_operators_did_and_why(world: World) -> None:
    of, receipt = await world.send("asha", "postProvision", "mail", outcome="failed")
    async with world.engine.begin() as connection:
        await operate(connection, Order("redrive", "os:op", "mended \x00", uuid.uuid4(), "test", delivery=of))
        await operate(
            connection, Order("pause", "os:op", "court", uuid.uuid4(), "test", subject=receipt.subject)
        )
        await connection.execute(text("INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now())"))
        await release_brake(
            connection, Order("release brake", "key:1", "seen", uuid.uuid4(), "test", tenant="as100")
        )
    found = await world.ask("deeds")
    assert [(r["deed"], r["actor"], r["login"], r["reason"], r["activity"], r["of"]) for r in found] == [
        ("redrive", "os:op", "asha", None, "mail", str(of)),
        ("pause", "os:op", "asha", "court", None, None),
        ("release brake", "key:1", None, "seen", None, None),
    ]


async def test_facts_for_which_no_activity_was_configured(world: World) -> None:
    await world.send("asha", "postProvision", "provisioning", bookkeeping=True, application=APP)
    last, _ = await world.send("bina", "postProvision", application=APP)
    await world.send("chitra", "postProvision", "mail", application=APP)
    await world.send("diya", "postUpdateUser", "mail")
    await world.send("esha", "preProvision", application=APP)
    [row] = await world.ask("without-activity")
    assert (row["hook"], row["application"], row["facts"], row["of"], row["example"]) == (
        "postProvision", APP, 2, 3, max(row["example"], str(last))
    )  # fmt: skip


async def test_hooks_seen_and_silent(world: World) -> None:
    await world.send("asha", "postProvision", application=APP)
    await world.send("asha", "postProvision", application=APP)
    await world.send("asha", "postMoveUser")
    found = {(r["hook"], r["application"]): r for r in await world.ask("hooks-seen")}
    assert found["postProvision", APP]["times"] == 2
    assert (found["postMoveUser", ""]["times"], found["postMoveUser", ""]["silent"]) == (1, False)
    assert (found["validateUser", ""]["times"], found["validateUser", ""]["silent"]) == (0, True)
    past = await world.ask("hooks-seen", since="2020-01-01", until="2020-02-01")
    assert all(r["times"] == 0 and r["silent"] for r in past)


async def test_control_totals_balance_and_show_what_does_not(world: World, store: Store) -> None:
    await world.send("asha", "validateUser", verdict="passed")
    done, _ = await world.send("asha", "postProvision", "mail", "notify", outcome="done")
    gone, _ = await world.send("bina", "postProvision", "mail", outcome="failed")
    skipped, _ = await world.send("chitra", "postProvision", "mail")
    await world.send("diya", "postProvision", "mail")
    await world.send("esha", "postProvision", "mail", outcome="cancelled")
    again, _ = await world.send("farah", "postProvision", "mail", outcome="failed")
    async with world.engine.begin() as connection:
        await operate(connection, Order("skip", "os:op", "late", uuid.uuid4(), "test", delivery=skipped))
        await operate(connection, Order("redrive", "os:op", "mended", uuid.uuid4(), "test", delivery=again))
    [day] = await world.ask("totals")
    assert day == {
        "day": TODAY.date(), "received": 9, "answered": 9, "planned": 7, "settled": 2, "failed": 1, "open": 2,
        "dropped": 2, "astray": 0, "balanced": True,
    }  # fmt: skip

    async def totals() -> tuple[bool, int]:
        [now] = await world.ask("totals")
        return now["balanced"], now["planned"] - now["settled"] - now["failed"] - now["open"] - now["dropped"]

    async with world.engine.begin() as connection:
        await connection.execute(text("UPDATE work SET settled_at = now(), state = 'settled', outcome = 'done' WHERE settled_at IS NULL AND outcome IS NULL AND delivery <> :again"), {"again": again})  # fmt: skip
    assert await totals() == (False, 1)  # settled, and no entry tells of it
    async with world.engine.begin() as connection:
        await connection.execute(text("DELETE FROM work WHERE delivery = :done"), {"done": done})
    [day] = await world.ask("totals")
    assert (day["astray"], day["balanced"]) == (2, False)
    assert gone != done


async def test_accesses_are_listed_with_what_was_asked(world: World) -> None:
    await world.send("asha")
    await world.ask("person", person="asha")
    await world.ask("who-had", application=APP, on="2026-11-10")
    await world.ask("totals")  # tells of nobody
    found = await world.ask("accesses")
    assert [(r["question"], r["login"], r["parameters"], r["rows"], r["actor"]) for r in found] == [
        ("person", "asha", {}, 1, "key:auditor"),
        ("who-had", None, {"application": APP, "on": "2026-11-10"}, 0, "key:auditor"),
    ]
    assert len(await world.ask("accesses")) == 3
    assert "asha" not in json.dumps([dict(r) for r in found if r["login"] is None], default=str)

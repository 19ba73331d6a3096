"""One activity at the real store without a workflow: stores its work, makes attempts, looks at what came of it."""

import json
import tempfile
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import Activity, Event, Hook, Outcome, Tools, activity
from activities._bind import Wiring, bind
from activities._machinery import Machinery
from ledger.engine import Pool, open_pool
from ledger.plan import Job, Ref, Settlement
from ledger.receive import Planned, plan_text, receive
from ledger.releases import register
from runtime.vault import Folder, Vault
from settings import Store
from tests.support import delivery, rows


@dataclass(frozen=True)
class Piece:
    """One piece of work."""

    ref: Ref
    subject: uuid.UUID
    seq: int


@dataclass
class Desk:
    """A person of whom work is stored, and a worker's wiring."""

    pool: Pool
    wiring: Wiring
    vault: Vault
    keys: Folder
    store_settings: Store
    login: str = field(default_factory=lambda: f"u{uuid.uuid4().hex[:10]}")

    async def store(
        self, *activities: Activity, request: Mapping[str, Any] | None = None, **changes: Any
    ) -> list[Piece]:
        """A delivery that causes these, one piece each."""
        application = changes.get("application")
        body = {"user": {"login": self.login}} | dict(request or {})
        work = [
            Planned(a.name, a.lane_for(application), plan_text(a.plan), a.delay, waits=False)
            for a in activities
        ]
        d = delivery(self.login, body=json.dumps({"request": body}), work=work, **changes)
        receipt = await receive(self.pool, d)
        assert receipt.subject is not None
        return [Piece(Ref(str(d.id), a.name), receipt.subject, receipt.seq or 0) for a in activities]

    async def attempt(self, activity: Activity, *pieces: Piece) -> list[Settlement]:
        """One attempt by bind, as a worker makes it."""
        return await environment().run(bind(activity, self.wiring), job(*pieces))

    async def retire(self, *names: str) -> None:
        """An earlier release than the worker's had these names."""
        self.wiring = replace(self.wiring, code_version=f"running-{self.login}")
        async with self.wiring.engine.begin() as connection:
            await register(connection, f"older-{self.login}", names)
            await register(connection, self.wiring.code_version, ())

    async def keep_books(self, *pieces: Piece) -> list[Settlement]:
        """One attempt at bookkeeping."""
        machinery = Machinery(self.wiring)
        return await environment().run(machinery.bookkeeping, job(*pieces))

    async def work(self, piece: Piece) -> Mapping[str, Any]:
        """The row of a piece."""
        [row] = await rows(
            self.pool,
            "SELECT * FROM work WHERE delivery = $1 AND activity = $2",
            uuid.UUID(piece.ref.delivery),
            piece.ref.activity,
        )
        return row

    async def outcomes(self, piece: Piece) -> list[str]:
        """Outcomes in the entries of a piece, as they were written."""
        return [e["outcome"] for e in await self.entries(piece)]

    async def entries(self, piece: Piece) -> list[Mapping[str, Any]]:
        """The entries of a piece."""
        return await rows(
            self.pool,
            "SELECT * FROM entries WHERE delivery = $1 AND activity = $2 ORDER BY id",
            uuid.UUID(piece.ref.delivery),
            piece.ref.activity,
        )

    async def fault(self, piece: Piece) -> str | None:
        """The text kept of a piece's last failure."""
        return await self.pool.fetchval(
            "SELECT text FROM faults WHERE delivery = $1 AND activity = $2",
            uuid.UUID(piece.ref.delivery),
            piece.ref.activity,
        )

    async def effects(self, tenant: str) -> int:
        """Rows that the tests' activities wrote under that name."""
        return await self.pool.fetchval("SELECT count(*) FROM refusals WHERE tenant = $1", tenant)

    async def erase(self, piece: Piece) -> None:
        """Erases the body of a piece's delivery, which the application's role may not."""
        owner = Store(url=self.store_settings.owner_url or "", pool_size=1)
        pool = await open_pool(owner, "test")
        await pool.execute("DELETE FROM bodies WHERE delivery = $1", uuid.UUID(piece.ref.delivery))
        await pool.close()

    async def change(self, piece: Piece, assignments: str) -> None:
        """Sets columns of a piece: the passing of time, mostly."""
        await self.pool.execute(
            f"UPDATE work SET {assignments} WHERE delivery = $1 AND activity = $2",
            uuid.UUID(piece.ref.delivery),
            piece.ref.activity,
        )


def effect(tools: Tools, name: str) -> None:
    """Writes a row that `Desk.effects` counts under that name."""
    tools.db.write(
        "INSERT INTO refusals (tenant, slot, at, hook, status, reason, words, receipt) "
        "VALUES (:t, (SELECT count(*) FROM refusals WHERE tenant = :t), now(), 'x', 0, 'effect', '', "
        "gen_random_uuid())",
        t=name,
    )


@activity(on=Hook.POST_PROVISION)
async def writer(event: Event, tools: Tools) -> Outcome:
    """Writes a row together with its outcome."""
    effect(tools, event.delivery)
    return Outcome("wrote", {"attempt": tools.attempt})


def environment(name: str = "unknown", since: timedelta = timedelta(0)) -> ActivityEnvironment:
    """What surrounds an attempt of the activity `name`, scheduled so long ago."""
    env = ActivityEnvironment()
    env.info = replace(env.info, activity_type=name, scheduled_time=datetime.now(UTC) - since)
    return env


def job(*pieces: Piece) -> Job:
    """The argument that a workflow passes."""
    return Job(str(pieces[0].subject), [p.ref for p in pieces])


def all_said(error: ApplicationError) -> str:
    """Everything of an error that Temporal would write into a history."""
    return f"{error.message} {error.type} {error.details} {error.__cause__}"


@asynccontextmanager
async def desk_at(
    store: Store, pool: Pool, engine: AsyncEngine, settings: Mapping[str, Mapping[str, Any]]
) -> AsyncGenerator[Desk]:
    """A desk with the `[activities.NAME]` tables."""
    with tempfile.TemporaryDirectory() as directory:
        keys = Folder(Path(directory), [b"w" * 32])
        vault = Vault(keys, b"k" * 32)
        vault.refresh()
        async with httpx.AsyncClient(timeout=10, follow_redirects=False, trust_env=False) as http:
            yield Desk(pool, Wiring(engine, http, settings, "test", vault.unseal), vault, keys, store)


def an_event(**changes: Any) -> Event:
    """An event of a person who was created."""
    values: dict[str, Any] = {
        "delivery": str(uuid.uuid4()),
        "tenant": "as100",
        "hook": "postCreateUser",
        "seq": 7,
        "received_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "subject": str(uuid.uuid4()),
        "request": {"user": {"login": "anna", "firstName": "Anna", "email": "anna@example.com", "id": "p-1"}},
        "before": None,
        "application": None,
        "verdict": "received",
        "actor": "user:admin",
        "acting_for": None,
    }
    return Event(**(values | changes))

"""A tenant of the test's own, its people's hooks, and rounds of the watch: what the tests of silent gaps build on."""

import asyncio
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from activities._watch import Watcher
from hooks import by_name
from ledger.engine import Pool
from ledger.receive import Delivery, Fact, Planned, Receipt, receive
from ledger.seen import Seen
from settings import Tenant, Windows
from tests.support import delivery, rows

PRESENT = Fact(status="ACTIVE", left=False, archived=False, version=None, updated=None)
LEFT = replace(PRESENT, status="DELETE", left=True)
ARCHIVED = replace(PRESENT, status="ARCHIVED", archived=True)
SHORT = 0.05
"""Seconds: a window that is over before one has looked."""
LATER = timedelta(days=3650)


def windows(**seconds: float) -> Windows:
    """Every window short, but for those given."""
    short = dict.fromkeys(Windows.model_fields, SHORT)
    return Windows.model_validate(short | seconds)


def waiting(activity: str = "later", own: timedelta = LATER) -> Planned:
    """Work that waits for the fact."""
    return Planned(activity, activity, "{}", own, waits=True)


@dataclass
class House:
    """One tenant, watched."""

    pool: Pool
    engine: AsyncEngine
    like: Tenant
    windows: Windows = field(default_factory=windows)
    tenant: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:10]}")
    most: int = 5_000

    def says(self, login: str, hook: str, **changes: Any) -> Delivery:
        """A delivery as the answer path builds it from the hook's own file."""
        known = by_name()[hook.lower()]
        values: dict[str, Any] = {
            "tenant": self.tenant,
            "verdict": "passed" if hook.startswith("validate") else "received",
            "creates": known.creates,
            "fact": known.fact,
            "identity": PRESENT if known.whole_user else None,
            "confirms": list(known.confirms) or None,
            "check": known.check,
            "hold": timedelta(minutes=10) if known.holds else None,
            "release": timedelta(0),
            "body": json.dumps({"request": {"user": {"login": login}}}),
        }
        return delivery(login, known.name, **(values | changes))

    async def send(self, login: str, hook: str, **changes: Any) -> Receipt:
        """Stores it."""
        return await receive(self.pool, self.says(login, hook, **changes))

    @property
    def watcher(self) -> Watcher:
        """A worker's."""
        tenants = {self.tenant: self.like.model_copy(update={"windows": self.windows})}
        return Watcher(self.engine, tenants, 60.0, "test", self.most)

    async def round(self, after: float = SHORT) -> Seen:
        """Waits until short windows are over, then one round."""
        await asyncio.sleep(after * 1.2)
        return await self.watcher.watch()

    async def gaps(self) -> list[tuple[str, str | None, str | None]]:
        """Hook, application and how it was closed, in the order of the intentions."""
        found = await rows(
            self.pool,
            "SELECT hook, application, closed_as FROM gaps WHERE tenant = $1 ORDER BY since",
            self.tenant,
        )
        return [(r["hook"], r["application"], r["closed_as"]) for r in found]

    async def entries(self, *outcomes: str) -> list[tuple[str, str | None, str]]:
        """Hook, activity and outcome of what the watch writes, or of the outcomes given, in order."""
        asked = outcomes or ("unconfirmed", "confirmed late", "taken up", "no longer expected")
        found = await rows(
            self.pool,
            "SELECT hook, activity, outcome FROM entries WHERE tenant = $1 AND outcome = ANY ($2) ORDER BY id",
            self.tenant,
            list(asked),
        )
        return [(r["hook"], r["activity"], r["outcome"]) for r in found]

    async def work(self) -> list[tuple[str, str, str | None]]:
        """Hook, state and outcome of the tenant's work."""
        found = await rows(
            self.pool,
            "SELECT hook, state, outcome FROM work WHERE tenant = $1 ORDER BY hook, activity",
            self.tenant,
        )
        return [(r["hook"], r["state"], r["outcome"]) for r in found]

    async def held(self, subject: UUID | None) -> list[str]:
        """The values held for somebody."""
        found = await rows(self.pool, "SELECT value FROM holds WHERE subject = $1 ORDER BY value", subject)
        return [r["value"] for r in found]

    async def entry(self, outcome: str) -> Mapping[str, Any]:
        """The one entry with that outcome."""
        [found] = await rows(
            self.pool, "SELECT * FROM entries WHERE tenant = $1 AND outcome = $2", self.tenant, outcome
        )
        return found

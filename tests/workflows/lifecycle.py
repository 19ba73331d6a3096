"""A worker in this process and a person to send deliveries for: what the lifecycle tests build on."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from activities._registry import registry
from hooks import by_name
from ledger.engine import Pool, open_pool
from ledger.receive import Fact, Planned, Receipt, plan_text, receive
from runtime.bell import Ring, ring
from runtime.sweep import Sweep
from runtime.worker import assemble
from settings import Settings
from tests.support import delivery, rows

FACT = Fact(status="ACTIVE", left=False, archived=False, version=None, updated=None)


@dataclass
class Lifecycle:
    """One person and everything needed to watch them."""

    client: Client
    pool: Pool
    settings: Settings
    sweep: Sweep
    login: str
    receipts: list[Receipt]

    async def store(
        self, *activities: str, hook: str = "postProvision", application: str | None = None
    ) -> Receipt:
        """Stores a delivery that causes these activities; rings nobody."""
        known = registry()
        work = [
            Planned(a.name, a.lane_for(application), plan_text(a.plan), a.delay, waits=False)
            for a in (known[name] for name in activities)
        ]
        identity = FACT if by_name()[hook.lower()].whole_user else None
        d = delivery(
            self.login, hook, application=application, work=work, identity=identity, fact=bool(identity)
        )
        receipt = await receive(self.pool, d)
        self.receipts.append(receipt)
        return receipt

    async def ring(self) -> None:
        """Rings for the last delivery."""
        last = self.receipts[-1]
        assert last.subject is not None
        assert last.workflow_id is not None
        await ring(
            self.client,
            self.settings.temporal,
            Ring(last.subject, last.workflow_id, "as100", self.login, last.seq or 0, "postProvision"),
        )

    async def send(self, *activities: str, **kinds: Any) -> Receipt:
        """Stores and rings."""
        receipt = await self.store(*activities, **kinds)
        await self.ring()
        return receipt

    @property
    def subject(self) -> uuid.UUID:
        """The person's pseudonym."""
        subject = self.receipts[0].subject
        assert subject is not None
        return subject

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        """The person's workflow, whatever its current run."""
        return self.client.get_workflow_handle(self.receipts[0].workflow_id or "")

    async def ended(self, within: float = 20) -> WorkflowExecutionStatus:
        """How the current run ends."""
        return (await self.until(self._status, within)) or WorkflowExecutionStatus.RUNNING

    async def _status(self) -> WorkflowExecutionStatus | None:
        status = (await self.handle.describe()).status
        return None if status is WorkflowExecutionStatus.RUNNING else status

    async def outcomes(self) -> list[tuple[int, str, str]]:
        """The person's entries of activities: seq, activity, outcome, in the order they were written."""
        found = await rows(
            self.pool,
            "SELECT seq, activity, outcome FROM entries WHERE subject = $1 AND activity IS NOT NULL ORDER BY id",
            self.subject,
        )
        return [(r["seq"], r["activity"], r["outcome"]) for r in found]

    async def open_work(self) -> int:
        """Unsettled pieces of work."""
        return await self.pool.fetchval(
            "SELECT count(*) FROM work WHERE subject = $1 AND settled_at IS NULL", self.subject
        )

    async def until(self, ask: Any, within: float = 20) -> Any:
        """Asks until the answer is true-like; fails after `within` seconds."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            if answer := await ask():
                return answer
            await asyncio.sleep(0.05)
        raise AssertionError("it did not happen in time")


@asynccontextmanager
async def lifecycle(settings: Settings, client: Client) -> AsyncGenerator[Lifecycle]:
    """A running worker on the settings' own task queue, and a fresh person."""
    pool = await open_pool(settings.store, "test")
    async with assemble(settings, client) as parts, parts.worker:
        yield Lifecycle(client, pool, settings, parts.sweep, f"u{uuid.uuid4().hex[:10]}", [])
    await pool.close()

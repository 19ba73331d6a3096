"""One round of retention: months are made ahead, what is over age is dropped, class after class, oldest month first."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from datetime import date, timedelta

from temporalio import activity

from activities._registry import registry
from ledger import retention
from ledger.retained import Retained, Step
from ledger.retention import Order, PutOff
from ledger.visit import visit
from runtime.version import code_version
from settings import Settings
from settings.retention import CLASSES, IN_MONTHS
from workflows.retain import ACTIVITY, ALIVE

log = logging.getLogger(__name__)

BY_ITSELF = "hookledger:retention"
"""The actor of what the schedule does."""
_SECONDS = 3600.0
"""Longest single statement: it reads a whole month."""
_TRIES = 5
_PAUSE = 3.0
"""Seconds between tries, so that others are served in between."""


class Retainer:
    """Bound to the configuration."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @activity.defn(name=ACTIVITY)
    async def retain(self) -> Retained:
        """One round; what was put off is for the next. Raises OutOfReach."""
        beating = asyncio.create_task(_beat())
        try:
            return await retain(self._settings, BY_ITSELF)
        finally:
            beating.cancel()


async def _beat() -> None:
    """A statement reads a whole month: what tells that this worker lives cannot wait for its end."""
    while True:
        activity.heartbeat()
        await asyncio.sleep(ALIVE.total_seconds() / 6)


async def retain(settings: Settings, actor: str, *, rehearse: bool = False) -> Retained:
    """One round. `rehearse` changes nothing, and tells what would be dropped. Raises OutOfReach."""
    made, trouble = 0, ""
    if not rehearse:
        try:
            async with visit(settings.store, _SECONDS) as connection:
                made = await retention.make_months(connection, settings.ledger.retention.ahead)
        except PutOff as wrong:
            trouble = str(wrong)
    steps: list[Step] = []
    async for order in _due(settings, actor):
        step = await (_rehearsed(settings, order) if rehearse else _dropped(settings, order))
        if any(step.dropped.values()) or step.trouble:
            steps.append(step)
            log.info("retention: %s of %s: %s", order.class_, step.month, step.trouble or step.dropped)
    return Retained(made, steps, trouble)


async def _due(settings: Settings, actor: str) -> AsyncGenerator[Order]:
    """What may be dropped by now. Rows of classes that do not lie in months are one order each."""
    async with visit(settings.store) as connection:
        day = await retention.today(connection)
        parts = await retention.read_months(connection)
    release = code_version(tuple(registry()))
    for class_ in CLASSES:
        keep = settings.ledger.retention.classes[class_]
        if keep is None:
            continue
        until = retention.due_before(day, keep)
        months = sorted({p.beyond for p in parts if p.store == class_ and p.beyond and p.beyond <= until})
        for beyond in months if class_ in IN_MONTHS else [until]:
            yield Order(class_, beyond, keep, actor, release)


async def _rehearsed(settings: Settings, order: Order) -> Step:
    if order.class_ not in IN_MONTHS:
        return Step(order.class_, name_of(order.beyond), {})
    async with visit(settings.store, _SECONDS) as connection:
        weights = await retention.weigh(connection, order.class_, order.beyond)
    dropped = {weight.store: weight.rows - weight.kept for weight in weights}
    return Step(order.class_, name_of(order.beyond), dropped, {w.store: w.kept for w in weights})


async def _dropped(settings: Settings, order: Order) -> Step:
    """Tries again while somebody is in the way, each time for half a second only."""
    total: dict[str, int] = {}
    trouble = ""
    for left in reversed(range(_TRIES)):
        try:
            while True:
                async with visit(settings.store, _SECONDS) as connection:
                    drop = retention.drop_month if order.class_ in IN_MONTHS else retention.drop_rows
                    gone = await drop(connection, order)
                for one in gone:
                    for store, count in one.dropped.items():
                        total[store] = total.get(store, 0) + count
                if order.class_ in IN_MONTHS or not gone:
                    return Step(order.class_, name_of(order.beyond), total)
        except PutOff as wrong:
            trouble = str(wrong)
        if left:
            await asyncio.sleep(_PAUSE)
    return Step(order.class_, name_of(order.beyond), total, trouble=trouble)


def name_of(beyond: date) -> str:
    """The last month before that day."""
    return f"{beyond - timedelta(days=1):%Y-%m}"

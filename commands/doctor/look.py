"""Brings the report together: what is configured, what the servers say, what the ledger has seen."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from commands.doctor.advice import is_current, next_steps, remedy
from commands.doctor.findings import Check, KeyName, Report, TenantReport
from commands.doctor.retention import look_at_months
from commands.doctor.sealing import look_at_sealing
from commands.doctor.servers import (
    look_at_given,
    look_at_keys,
    look_at_listener,
    look_at_query,
    look_at_store,
    look_at_temporal,
    look_at_tls,
)
from commands.doctor.spool import look_at_spool
from commands.doctor.vault import look_at_vault
from commands.times import ago
from hooks import by_name
from ledger.overview import Standing
from settings import Settings, Tenant

STRANGER = "?"
"""The tenant of calls that name no configured one (table `refusals`)."""


async def look(settings: Settings) -> Report:
    """The whole report, within seconds, whatever is down."""
    (store, standings), temporal, listener, query, keys, (sealing, months) = await asyncio.gather(
        look_at_store(settings.store, [*settings.tenants, STRANGER]),
        look_at_temporal(settings),
        look_at_listener(settings),
        look_at_query(settings),
        look_at_keys(settings.store),
        asyncio.gather(look_at_sealing(settings), look_at_months(settings.store)),
    )
    now = datetime.now(UTC)
    known = standings or {}
    strangers = known.get(STRANGER, Standing())
    heard = any(known[name].last_delivery for name in settings.tenants if name in known)
    checks = [
        store,
        *sealing,
        *months,
        *look_at_spool(settings),
        *look_at_vault(settings),
        *temporal,
        listener,
        look_at_tls(settings.api),
        query,
        *keys,
        *look_at_given(settings),
    ]
    checks += _strangers(strangers, heard, now)
    return Report(
        at=now,
        checks=tuple(checks),
        tenants=tuple(
            _tenant(name, tenant, settings, None if standings is None else known.get(name, Standing()), now)
            for name, tenant in settings.tenants.items()
        ),
        strangers=strangers,
    )


def _strangers(standing: Standing, heard: bool, now: datetime) -> Iterator[Check]:
    """Anybody may knock; it matters only while no call of the platform has ever been let in."""
    if not standing.refusals:
        return
    last = standing.refusals[0]
    words = f"a call that named no configured tenant was turned away {ago(last.at, now)}: {last.words}"
    yield Check("Strangers", "note" if heard else "wrong", words, remedy(last, "NAME"))


def _tenant(
    name: str, tenant: Tenant, settings: Settings, standing: Standing | None, now: datetime
) -> TenantReport:
    seen: Mapping[str, object] = standing.hooks if standing else {}
    return TenantReport(
        name=name,
        tenant_id=tenant.token.tenant_id,
        algorithm=tenant.token.algorithm,
        keys=tuple(KeyName(key.name, key.encoding) for key in tenant.token.keys),
        proof=tenant.token.proof is not None,
        deprovision=tenant.deprovision.answer,
        rules=tenant.rules.by_mode(unique.mode for unique in tenant.unique),
        standing=standing,
        never_seen=tuple(h.name for h in by_name().values() if standing and h.name not in seen),
        checks=tuple(_checks(name, standing, settings, now)) if standing else (),
        next=tuple(next_steps(name, tenant, settings.api, standing)) if standing else (),
    )


def _checks(name: str, standing: Standing, settings: Settings, now: datetime) -> Iterator[Check]:
    if is_current(standing):
        last = standing.refusals[0]
        words = f"the newest call was turned away {ago(last.at, now)}: {last.words}"
        yield Check("Calls", "wrong", words)
    elif standing.last_delivery:
        yield Check("Calls", "fine", f"the newest was let in {ago(standing.last_delivery, now)}")
    else:
        yield Check("Calls", "note", "none has come yet")
    yield from _work(standing, settings, now)
    for broken in standing.incidents:
        words = f"{broken.activity} fails for many since {ago(broken.since, now)}: {broken.cause}"
        yield Check("Incident", "wrong", words, f"./hookledger incidents show {broken.id}")
    if standing.gaps.since:
        words = f"{standing.gaps.open} open, the oldest from {ago(standing.gaps.since, now)}"
        yield Check("Gaps", "note", words, f"./hookledger gaps --tenant {name} says what is missing.")
    if standing.degraded:
        counts = ", ".join(f"{times} {answer}" for answer, times in standing.degraded.items())
        words = f"given without the store in the last day: {counts}"
        yield Check("Degraded", "note", words, "See who, and what to do: ./hookledger degraded")
    if standing.braked_since:
        words = f"on, stopped {ago(standing.braked_since, now)}: runDeprovision is answered false"
        yield Check("Brake", "wrong", words)
    else:
        yield Check("Brake", "fine", "off")


def _work(standing: Standing, settings: Settings, now: datetime) -> Iterator[Check]:
    work = standing.work
    counts = [f"{work.open} open"]
    if work.held:
        counts.append(f"{work.held} held: ./hookledger failures")
    if work.paused_people:
        counts.append(f"{work.paused_people} people paused")
    late = work.late_since
    if late is None:
        yield Check("Work", "note" if work.held or work.paused_people else "fine", ", ".join(counts))
        return
    counts.append(f"the oldest was due {ago(late, now)}")
    too_late = now - late > timedelta(seconds=settings.sweep.quiet + settings.sweep.unrung)
    remedy_ = (
        "See the worker's log and the person's run in the Temporal UI; ./hookledger failures."
        if too_late
        else ""
    )
    yield Check("Work", "wrong" if too_late else "fine", ", ".join(counts), remedy_)

"""Finds entries: by person, hook, activity, application, outcome and time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.tables import entries, handles


@dataclass(frozen=True, slots=True)
class Question:
    """What to look for; None asks for anything. `user` is a login, a platform id or a subject's pseudonym."""

    tenant: str | None = None
    user: str | None = None
    login: str | None = None
    """`user` in a login's normal form: rules are not known here."""
    hook: str | None = None
    activity: str | None = None
    application: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    most: int = 100


_COLUMNS = (
    entries.c.id,
    entries.c.at,
    entries.c.tenant,
    entries.c.subject,
    entries.c.seq,
    entries.c.hook,
    entries.c.application,
    entries.c.activity,
    entries.c.outcome,
    entries.c.attempt,
    entries.c.actor,
    entries.c.acting_for,
    entries.c.delivery,
    entries.c.code_version,
    entries.c.rules_hash,
    entries.c.detail,
)


async def search(connection: AsyncConnection, question: Question) -> list[dict[str, Any]]:
    """The newest entries that fit, oldest first. Every login that a person ever had finds them."""
    rows = await connection.execute(_statement(question))
    return [dict(row) for row in rows.mappings()][::-1]


def _statement(q: Question) -> Select[*tuple[Any, ...]]:
    statement = select(*_COLUMNS).order_by(entries.c.id.desc()).limit(q.most)
    exact = {
        entries.c.tenant: q.tenant,
        entries.c.hook: q.hook,
        entries.c.activity: q.activity,
        entries.c.application: q.application,
        entries.c.outcome: q.outcome,
    }
    for column, value in exact.items():
        if value is not None:
            statement = statement.where(column == value)
    if q.since is not None:
        statement = statement.where(entries.c.at >= q.since)
    if q.until is not None:
        statement = statement.where(entries.c.at < q.until)
    if q.user is not None:
        statement = statement.where(entries.c.subject.in_(_subjects(q.user, q.login, q.tenant)))
    return statement


def _subjects(user: str, login: str | None, tenant: str | None) -> Any:
    """Whom a login, platform id or pseudonym names, now or at any time."""
    try:
        return [UUID(user)]
    except ValueError:
        named = select(handles.c.subject).where(handles.c.value.in_({user, login or user.lower()}))
        return named if tenant is None else named.where(handles.c.tenant == tenant)

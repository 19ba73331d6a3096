"""What rules ask of the store: what was last known of a person, numbers, tables; and the text of the rules themselves."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ledger.engine import Pool, Statements, within

_LAST_KNOWN = "SELECT o_body, o_previous, o_age FROM last_known($1, $2, $3)"


@dataclass(frozen=True, slots=True)
class LastKnown:
    """The user as the last fact told it, as the one before told it, and how long ago the last one came."""

    user: dict[str, Any] | None
    previous: dict[str, Any] | None
    age: timedelta


async def last_known(store: Statements, tenant: str, platform_id: str | None, login: str) -> LastKnown | None:
    """By platform id, else by login in normal form; None if nobody is known.

    Raises one of ledger.engine.StoreErrors if the store does not answer.
    """
    row = await store.fetchrow(_LAST_KNOWN, tenant, platform_id, login)
    return None if row is None or row[0] is None else LastKnown(_user(row[0]), _user(row[1]), row[2])


def _user(body: str | None) -> dict[str, Any] | None:
    user = json.loads(body).get("request", {}).get("user") if body else None
    return user if isinstance(user, dict) else None  # pyright: ignore[reportUnknownVariableType]


async def keep_rules(pool: Pool, tenant: str, rules_hash: str, text: str) -> None:
    """Keeps the text behind a rules hash, once."""
    async with within(pool, tenant) as session:
        await session.execute(
            "INSERT INTO rule_texts (tenant, hash, text, first_seen) VALUES ($1, $2, $3, clock_timestamp())"
            " ON CONFLICT DO NOTHING",
            tenant,
            rules_hash,
            text,
        )


async def people(pool: Pool, tenant: str) -> int:
    """Known people of a tenant who are not archived."""
    async with within(pool, tenant) as session:
        return await session.fetchval(
            "SELECT count(*) FROM identities WHERE tenant = $1 AND archived_at IS NULL AND left_at IS NULL",
            tenant,
        )


async def holders(pool: Pool, tenant: str) -> dict[str, int]:
    """How many people have each application of a tenant."""
    async with within(pool, tenant) as session:
        text = await session.fetchval(
            "SELECT json_object_agg(application, n) FROM (SELECT application, count(*) AS n FROM entitlements"
            " WHERE tenant = $1 AND until IS NULL AND role = '' GROUP BY 1) AS q",
            tenant,
        )
    return json.loads(text) if text else {}


async def lookup_table(pool: Pool, tenant: str, name: str) -> dict[str, str]:
    """A table for lookup() that lives in the store."""
    async with within(pool, tenant) as session:
        text = await session.fetchval(
            "SELECT json_object_agg(key, value) FROM lookups WHERE tenant = $1 AND name = $2", tenant, name
        )
    return json.loads(text) if text else {}

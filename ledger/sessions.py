"""Sessions of people at the console: begun, found while they are good, ended."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Begun:
    """Whose session begins. `key` is the id of the key that was shown; without one, `grants` are [role, tenant] each."""

    hash: bytes
    actor: str
    key: str | None
    grants: Collection[tuple[str, str | None]]
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Good:
    """A session that has not ended. `grants` of a key are what the key may now."""

    actor: str
    key: str | None
    grants: tuple[tuple[str, str | None], ...]


_TIDY = text("DELETE FROM sessions WHERE ends_at <= clock_timestamp()")
_BEGIN = text("""
    INSERT INTO sessions (hash, actor, key, grants, made_at, seen_at, ends_at)
    SELECT :hash, :actor, CAST(:key AS text), CAST(:grants AS jsonb), now, now, now + CAST(:longest AS interval)
      FROM clock_timestamp() AS now
""")
_FIND = text("""
    SELECT s.actor, s.key, s.grants, k.role, k.tenant FROM sessions s LEFT JOIN keys k ON k.id = s.key
     WHERE s.hash = :hash AND s.ends_at > clock_timestamp()
       AND s.seen_at > clock_timestamp() - CAST(:idle AS interval)
       AND (s.key IS NULL OR (k.revoked_at IS NULL AND k.expires_at > clock_timestamp()))
""")
_SEEN = text("""
    UPDATE sessions SET seen_at = clock_timestamp()
     WHERE hash = :hash AND seen_at < clock_timestamp() - interval '30 seconds'
""")
_END = text("DELETE FROM sessions WHERE hash = :hash")


async def begin_session(connection: AsyncConnection, begun: Begun) -> None:
    """Begins one; what ended long ago is forgotten on the way."""
    await connection.execute(_TIDY)
    values = {
        "hash": begun.hash,
        "actor": begun.actor,
        "key": begun.key,
        "grants": json.dumps(list(begun.grants)),
        "longest": begun.longest,
    }
    await connection.execute(_BEGIN, values)


async def find_session(connection: AsyncConnection, hash_: bytes, idle: timedelta) -> Good | None:
    """The session, if neither it nor its key has ended. Being looked for is a sign of life."""
    row = (await connection.execute(_FIND, {"hash": hash_, "idle": idle})).first()
    if row is None:
        return None
    await connection.execute(_SEEN, {"hash": hash_})
    kept = [(row.role, row.tenant)] if row.key is not None else [(role, of) for role, of in row.grants]
    return Good(row.actor, row.key, tuple(kept))


async def end_session(connection: AsyncConnection, hash_: bytes) -> None:
    """Ends it at once, wherever its cookie may be."""
    await connection.execute(_END, {"hash": hash_})

"""Keys of the query API: made, listed, found, revoked. Making and revoking are entries with actor and reason."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ledger.key_text import KeyText
from ledger.operate import Order, record
from settings.query import Role

Recording = Callable[[str], Order]
"""The order under which a deed is recorded in a tenant."""


class NoSuchKey(LookupError):
    """No key has that id, or none that may be touched; the text says so."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key shall be. `tenant` None: for all of them. `label` says what it is for."""

    key: KeyText = field(repr=False)
    role: Role
    tenant: str | None
    label: str
    life: timedelta


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept."""

    id: str
    hash: bytes = field(repr=False)
    role: Role
    tenant: str | None
    label: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    last_used_at: datetime | None

    def standing(self, now: datetime) -> str:
        """In one word: good, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= now else "good"


_COLUMNS = "id, hash, role, tenant, label, made_by, made_at, expires_at, revoked_at, revoked_by, last_used_at"
_MAKE = text(f"""
    INSERT INTO keys (id, hash, role, tenant, label, made_by, made_at, expires_at)
    SELECT :id, :hash, :role, :tenant, :label, :made_by, now, now + CAST(:life AS interval) FROM clock_timestamp() AS now
    RETURNING {_COLUMNS}
""")
_FIND = text(f"SELECT {_COLUMNS} FROM keys WHERE id = :id")
_USED = text("""
    UPDATE keys SET last_used_at = clock_timestamp()
     WHERE id = :id AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute')
""")
_LIST = text(f"""
    SELECT {_COLUMNS} FROM keys
     WHERE (:all OR tenant = ANY (CAST(:tenants AS text[])))
       AND (:ended OR (revoked_at IS NULL AND expires_at > clock_timestamp()))
     ORDER BY made_at, id
""")
_REVOKE = text(f"""
    UPDATE keys SET revoked_at = clock_timestamp(), revoked_by = :actor
     WHERE id = :id AND revoked_at IS NULL AND (:all OR tenant = ANY (CAST(:tenants AS text[])))
    RETURNING {_COLUMNS}
""")


async def make_key(
    connection: AsyncConnection, new: NewKey, tenants: Iterable[str], recording: Recording
) -> Key:
    """Keeps a key's hash and records it in each tenant that the key can see. `tenants` are all that there are."""
    values: dict[str, Any] = {
        "id": new.key.id,
        "hash": new.key.hash,
        "role": new.role,
        "tenant": new.tenant,
        "label": new.label,
        "made_by": recording(new.tenant or "").actor,
        "life": new.life,
    }
    key = Key(*(await connection.execute(_MAKE, values)).one())
    for tenant in _seen_by(key, tenants):
        until = key.expires_at.isoformat(timespec="seconds")
        await record(connection, recording(tenant), key=key.id, role=key.role, expires=until, sees=_sees(key))
    return key


async def find_key(connection: AsyncConnection, id_: str) -> Key | None:
    """The key of that id, in whatever state."""
    row = (await connection.execute(_FIND, {"id": id_})).first()
    return Key(*row) if row else None


async def note_use(connection: AsyncConnection, id_: str) -> None:
    """Notes that a key was used now, to the minute."""
    await connection.execute(_USED, {"id": id_})


async def list_keys(
    connection: AsyncConnection, tenants: Collection[str] | None, *, ended: bool = False
) -> list[Key]:
    """The keys of these tenants, None for all keys there are; `ended` also those that expired or were revoked."""
    values = {"all": tenants is None, "tenants": sorted(tenants or ()), "ended": ended}
    return [Key(*row) for row in await connection.execute(_LIST, values)]


async def revoke_key(
    connection: AsyncConnection,
    id_: str,
    may: Collection[str] | None,
    tenants: Iterable[str],
    recording: Recording,
) -> Key:
    """Ends a key at once, and records it. `may` are the tenants whose keys the actor may revoke, None for any.

    Raises NoSuchKey, also for one that was revoked already.
    """
    actor = recording("").actor
    values = {"id": id_, "actor": actor, "all": may is None, "tenants": sorted(may or ())}
    row = (await connection.execute(_REVOKE, values)).first()
    if row is None:
        raise NoSuchKey("no such key that is not revoked yet: ./hookledger key list shows them")
    key = Key(*row)
    for tenant in _seen_by(key, tenants):
        await record(connection, recording(tenant), key=key.id, role=key.role, sees=_sees(key))
    return key


async def takes_keys(connection: AsyncConnection) -> None:
    """Raises one of ledger.engine.EngineErrors unless keys can be looked up here."""
    await connection.execute(_FIND, {"id": ""})


def _seen_by(key: Key, tenants: Iterable[str]) -> list[str]:
    return [key.tenant] if key.tenant is not None else list(tenants)


def _sees(key: Key) -> str:
    return "all tenants" if key.tenant is None else "this tenant"

"""Which release last had which activity, so that a removed name is told from one that is still to come."""

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_RELEASE = text("""
    INSERT INTO releases (version, first_seen) VALUES (:version, clock_timestamp()) ON CONFLICT DO NOTHING
""")
_NAMES = text("""
    INSERT INTO activity_names AS a (name, version) SELECT n, :version FROM unnest(CAST(:names AS text[])) AS n ORDER BY n
    ON CONFLICT (name) DO UPDATE SET version = excluded.version
     WHERE (SELECT first_seen FROM releases WHERE version = excluded.version)
        >= (SELECT first_seen FROM releases WHERE version = a.version)
""")
_RETIRED = text("""
    SELECT EXISTS (SELECT 1 FROM activity_names a JOIN releases r ON r.version = a.version
                    WHERE a.name = :name AND r.first_seen < (SELECT first_seen FROM releases WHERE version = :version))
""")


async def register(connection: AsyncConnection, version: str, names: Collection[str]) -> None:
    """Notes this release and its activities."""
    await connection.execute(_RELEASE, {"version": version})
    await connection.execute(_NAMES, {"version": version, "names": sorted(names)})


async def is_retired(connection: AsyncConnection, version: str, name: str) -> bool:
    """Whether only releases earlier than this one have had a name that it has not, as far as is known by now."""
    return bool((await connection.execute(_RETIRED, {"version": version, "name": name})).scalar())

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
    SELECT a.name FROM activity_names a JOIN releases r ON r.version = a.version
     WHERE a.name <> ALL (CAST(:names AS text[]))
       AND r.first_seen < (SELECT first_seen FROM releases WHERE version = :version)
""")


async def register(connection: AsyncConnection, version: str, names: Collection[str]) -> set[str]:
    """Notes this release and its activities; gives the names that only earlier releases had."""
    values = {"version": version, "names": sorted(names)}
    await connection.execute(_RELEASE, {"version": version})
    await connection.execute(_NAMES, values)
    return set((await connection.execute(_RETIRED, values)).scalars())

"""Looks for sentinels in everything a database holds, and in logs."""

import base64
import json
from collections.abc import Iterable, Iterator

from ledger.engine import connect
from settings import Store

PASSWORD = "Sentinel-Passw0rd-7f3a"
ANSWER = "Sentinel-Answer-91bc"
TOKEN_STARTS = ("eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiJhZG1pbiIs")
"""How header and claims of every minted token begin."""
SENTINELS = (PASSWORD, ANSWER, *TOKEN_STARTS)
"""What no test's call may leave anywhere: passwords, security answers, and whatever of a token."""


async def dump(store: Store) -> dict[str, str]:
    """Every table of the database as text, read as its owner; bytes in hex."""
    engine = connect(store.owner_url or "", name="leaks", pool_size=1, statement_timeout=30)
    try:
        async with engine.connect() as connection:
            tables = await connection.exec_driver_sql(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
            texts: dict[str, str] = {}
            for table in tables.scalars().all():
                rows = await connection.exec_driver_sql(f'SELECT t::text FROM public."{table}" AS t')
                texts[table] = "\n".join(rows.scalars())
            return texts
    finally:
        await engine.dispose()


def spellings(secret: str) -> Iterator[str]:
    """A secret as text, inside JSON, in hex, and in base64 at each of its three phases."""
    raw = secret.encode()
    yield secret
    yield json.dumps(secret)[1:-1]
    yield raw.hex()
    for phase in range(3):
        coded = base64.b64encode(b"\0" * phase + raw).decode().rstrip("=")
        yield coded[(phase + 2) // 3 * 4 : -2]


def found(texts: dict[str, str], plain: Iterable[str] = ()) -> list[str]:
    """`place: secret` for each sentinel that a text holds in any spelling, and each plain secret as it is."""
    looked_for = {secret: [secret] for secret in plain} | {s: list(spellings(s)) for s in SENTINELS}
    return [
        f"{place}: {secret}"
        for place, text in texts.items()
        for secret, spelt in looked_for.items()
        if any(spelling in text for spelling in spelt)
    ]


async def assert_nowhere(store: Store, lines: Iterable[str], *plain: str) -> None:
    """Fails, naming table or log, if a sentinel or one of `plain` is kept anywhere."""
    tables = await dump(store)
    assert "entries" in tables
    assert found(tables | {"log": "\n".join(lines)}, plain) == []

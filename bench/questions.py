"""Two questions over a ledger of ten million entries and over one of a hundred thousand, with answers of one size.

Both ledgers are of one making, the large one a hundred times as long: people whose entries come in bursts of ten, and
spells of access that each begin ten minutes after the one before. One spell in five is of the application that is asked
for, and lasts until a thousand later ones have begun: on any day some thousand people hold it, before it and after it lie
all others. Timed in turns are the statement alone, of which the ratio is, and the whole call, which also finds who the
person is, hashes the rows and writes down who read them.
"""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, cast
from uuid import UUID

import asyncpg

from bench import traffic
from bench.figures import Notebook
from bench.stack import BenchError, Stack
from dev import cluster
from ledger.answer import Reader, answer
from ledger.engine import connect
from ledger.questions import questions

APPLICATION = "asked"
_OF_A_PERSON = 200
"""Entries of each person."""
_BURST = 10
"""Entries, and one spell, of each delivery."""
_EVERY = 5
"""One spell in so many is of the application."""
_HOLDERS = 1000
_WARM = 3
_STEP = timedelta(minutes=10)
_BEGIN = datetime(2000, 1, 3, tzinfo=UTC)

_LAY_DOWN = """
SET ROLE {owner};
CREATE TEMPORARY TABLE taken AS
    SELECT replace(indexdef, ' ON ONLY ', ' ON ') AS indexdef FROM pg_indexes i
     WHERE schemaname = 'public' AND tablename IN ('entries', 'deliveries', 'entitlements', 'subjects', 'handles')
       AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname);
DO $$ DECLARE d record; BEGIN
    FOR d IN SELECT indexname FROM pg_indexes i
              WHERE schemaname = 'public' AND tablename IN ('entries', 'deliveries', 'entitlements', 'subjects', 'handles')
                AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)
    LOOP EXECUTE format('DROP INDEX %I', d.indexname); END LOOP;
END $$;
CREATE FUNCTION pg_temp.id(kind text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN (kind || lpad(to_hex(n), 12, '0'))::uuid;
INSERT INTO subjects (id, tenant, workflow_id, seq, created_at)
SELECT pg_temp.id('00000000-0000-7000-8000-', k), '{tenant}', 'asked:' || k, 1, '{begin}' FROM generate_series(0, {people} - 1) k;
INSERT INTO handles (tenant, kind, value, subject, since)
SELECT '{tenant}', 'login', 'person' || k, pg_temp.id('00000000-0000-7000-8000-', k), '{begin}'
  FROM generate_series(0, {people} - 1) k;
INSERT INTO deliveries (id, tenant, subject, seq, hook, application, actor, verdict, rules_hash, commitment, received_at)
SELECT pg_temp.id('00000000-0000-7000-9000-', i), '{tenant}', pg_temp.id('00000000-0000-7000-8000-', i % {people}),
       i / {people} + 1, 'postProvision', CASE WHEN i % {every} = 0 THEN '{application}' ELSE 'app' || i % 50 END, 'user:1',
       'received', 'rules', decode(repeat('00', 32), 'hex'), timestamptz '{begin}' + i * interval '{step}'
  FROM generate_series(0, {spells} - 1) i;
INSERT INTO entitlements (tenant, subject, application, role, state, since, until, opened_by, closed_by)
SELECT d.tenant, d.subject, d.application, '', 'ended confirmed', d.received_at,
       d.received_at + {holders} * {every} * interval '{step}', d.id, d.id
  FROM deliveries d ORDER BY d.received_at;
INSERT INTO entries (at, tenant, subject, delivery, seq, hook, application, activity, outcome, attempt, actor, code_version,
                     rules_hash, commitment)
SELECT d.received_at + b * interval '1 second', d.tenant, d.subject, d.id, d.seq, d.hook, d.application,
       CASE WHEN b > 0 THEN 'activity' || b END, CASE WHEN b > 0 THEN 'done' ELSE 'received' END, nullif(b, 0), d.actor,
       'bench', d.rules_hash, d.commitment
  FROM deliveries d, generate_series(0, {burst} - 1) b ORDER BY d.received_at, b;
DO $$ DECLARE d record; BEGIN
    FOR d IN SELECT indexdef FROM taken LOOP EXECUTE d.indexdef; END LOOP;
END $$;
"""
_SETTLE_DOWN = "VACUUM ANALYZE; CHECKPOINT;"


class Asked:
    """One ledger, and how long its answers take."""

    def __init__(self, url: str, people: int, spells: int) -> None:
        self._people = people
        self._spells = spells
        self._engine = connect(url, name="bench", pool_size=2, statement_timeout=60)
        self._url = url
        self._bare: Any = None

    async def close(self) -> None:
        """Ends its connections."""
        await self._engine.dispose()
        if self._bare is not None:
            await self._bare.close()

    async def who_had(self, chance: random.Random) -> tuple[float, float]:
        """Seconds of the statement alone, and of the whole call. Raises BenchError if not a thousand had it."""
        spell = chance.randint(_HOLDERS * _EVERY, self._spells - 1)
        day = (_BEGIN + spell * _STEP).date()
        times, rows = await self._ask("who-had", [], application=APPLICATION, on=day.isoformat())
        if not 0.9 * _HOLDERS < rows < 1.1 * _HOLDERS:
            raise BenchError(f"{rows} people had it, not some {_HOLDERS}")
        return times

    async def timeline(self, chance: random.Random) -> tuple[float, float]:
        """The same of one person. Raises BenchError if they have not their two hundred entries."""
        number = chance.randrange(self._people)
        person = UUID(f"00000000-0000-7000-8000-{number:012x}")
        times, rows = await self._ask("person", [person], person=f"person{number}")
        # Having been asked for is in their timeline, too.
        if not _OF_A_PERSON <= rows < 1.5 * _OF_A_PERSON:
            raise BenchError(f"a person has {rows} entries, not {_OF_A_PERSON}")
        return times

    async def _ask(self, name: str, people: list[UUID], **given: str) -> tuple[tuple[float, float], int]:
        question = questions()[name]
        asked = question.parameters.model_validate({"tenant": traffic.TENANT} | given)
        after = {f"after_{k}": v for k, v in zip(question.key, question.first(), strict=True)}
        statement, values = _numbered(
            question.sql, asked.values() | after | {"people": people, "limit": _ALL}
        )
        if self._bare is None:
            connect_: Callable[..., Awaitable[Any]] = cast("Any", asyncpg).connect
            self._bare = await connect_(self._url, server_settings=_PLANS)
        begin = time.perf_counter()
        await self._bare.fetch(statement, *values)
        between = time.perf_counter()
        page = await answer(self._engine, question, asked, _READER, limit=_ALL)
        return (between - begin, time.perf_counter() - between), len(page.rows)


_ALL = 10_000
_PLANS = {"plan_cache_mode": "force_custom_plan", "jit": "off"}
_READER = Reader("bench", "bench", str.lower, (), ())


def _numbered(sql: str, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The statement as the server sees it, and its values in order."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return re.sub(r"(?<!:):([a-z_]+)", number, sql), [values[name] for name in names]


def _asked(one: Stack, name: str, entries: int) -> Asked:
    people, spells = max(entries // _OF_A_PERSON, 1), entries // _BURST
    if spells < 3 * _HOLDERS * _EVERY // 2:
        raise BenchError(f"{entries:,} entries are too few: the application must have had other holders, too")
    return Asked(_made(one, name, people, spells), people, spells)


def _made(one: Stack, name: str, people: int, spells: int) -> str:
    database, _ = one.configured(name)
    script = _LAY_DOWN.format(
        owner=cluster.OWNER,
        tenant=traffic.TENANT,
        application=APPLICATION,
        people=people,
        spells=spells,
        every=_EVERY,
        holders=_HOLDERS,
        burst=_BURST,
        begin=_BEGIN.isoformat(),
        step=f"{_STEP.total_seconds():.0f} seconds",
    )
    one.postgres.sql(script, database.name)
    one.postgres.sql(_SETTLE_DOWN, database.name)
    return database.app_url


def question_rounds(
    one: Stack,
    *,
    large: int,
    small: int,
    rounds: int,
    asks: int,
    notebook: Notebook,
    say: Callable[[str], None],
) -> None:
    """Both ledgers made once, then asked in turns."""
    say(f"making ledgers of {small:,} and {large:,} entries")
    few, many = _asked(one, "asked_few", small), _asked(one, "asked_many", large)
    asyncio.run(_rounds(few, many, f"{_short(large)}_vs_{_short(small)}", rounds, asks, notebook, say))
    for ledger in ("asked_few", "asked_many"):
        one.postgres.drop(ledger)


async def _rounds(
    few: Asked, many: Asked, name: str, rounds: int, asks: int, notebook: Notebook, say: Callable[[str], None]
) -> None:
    try:
        for number in range(rounds):
            say(f"questions, round {number + 1} of {rounds}")
            for what, ask in (("asof", Asked.who_had), ("timeline", Asked.timeline)):
                chance = random.Random(number)
                pairs = [(await ask(many, chance), await ask(few, chance)) for _ in range(asks + _WARM)][
                    _WARM:
                ]
                (alone, whole), (few_alone, few_whole) = (
                    [median(times) for times in zip(*side, strict=True)] for side in zip(*pairs, strict=True)
                )
                notebook.note(
                    **{
                        f"{what}_{name}": alone / few_alone,
                        f"{what}_call_{name}": whole / few_whole,
                        f"{what}_statement_ms": 1000 * alone,
                        f"{what}_call_ms": 1000 * whole,
                    }
                )
    finally:
        await few.close()
        await many.close()


def _short(entries: int) -> str:
    return f"{entries // 1_000_000}m" if entries >= 1_000_000 else f"{entries // 1000}k"


def steps(rounds: int) -> int:
    """How often `say` will be called."""
    return 1 + rounds

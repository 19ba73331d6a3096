"""Two questions over a ledger of ten million entries and over one of a hundred thousand, with answers of one size.

Both ledgers are of one making, the large one a hundred times as long: people whose entries come in bursts of ten, and
spells of access that each begin ten minutes after the one before. One spell in five is of the application that is asked
for, and lasts until a thousand later ones have begun: on any day some thousand people hold it, before it and after it lie
all others. What is timed is the whole call, with who reads it written down, in turns.
"""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

from bench import traffic
from bench.figures import Notebook
from bench.stack import BenchError, Stack
from dev import cluster
from ledger.answer import Reader, answer
from ledger.engine import Engine, connect
from ledger.questions import questions
from ledger.report import Row

APPLICATION = "asked"
_OF_A_PERSON = 200
"""Entries of each person."""
_BURST = 10
"""Entries, and one spell, of each delivery."""
_EVERY = 5
"""One spell in so many is of the application."""
_HOLDERS = 1000
_STEP = timedelta(minutes=10)
_BEGIN = datetime(2000, 1, 3, tzinfo=UTC)

_LAY_DOWN = """
SET ROLE {owner};
CREATE TEMPORARY TABLE taken AS
    SELECT indexdef FROM pg_indexes i
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

    def __init__(self, one: Stack, name: str, entries: int) -> None:
        self._people = max(entries // _OF_A_PERSON, 1)
        self._spells = entries // _BURST
        if self._spells < 3 * _HOLDERS * _EVERY // 2:
            raise BenchError(
                f"{entries:,} entries are too few: the application must have had other holders, too"
            )
        self._url = _made(one, name, self._people, self._spells)

    async def times(self, asks: int, seed: int) -> dict[str, float]:
        """Median seconds of each question. Raises BenchError if an answer is of the wrong size."""
        engine = connect(self._url, name="bench", pool_size=2, statement_timeout=60)
        chance = random.Random(seed)
        try:
            for _ in range(3):
                await self._who_had(engine, chance)
                await self._timeline(engine, chance)
            return {
                "asof": median([await self._who_had(engine, chance) for _ in range(asks)]),
                "timeline": median([await self._timeline(engine, chance) for _ in range(asks)]),
            }
        finally:
            await engine.dispose()

    async def _who_had(self, engine: Engine, chance: random.Random) -> float:
        # Anywhere but where not yet, or no longer, a thousand hold it.
        spell = chance.randint(_HOLDERS * _EVERY, self._spells - 1)
        day = (_BEGIN + spell * _STEP).date()
        took, rows = await _ask(engine, "who-had", application=APPLICATION, on=day.isoformat())
        if not 0.9 * _HOLDERS < len(rows) < 1.1 * _HOLDERS:
            raise BenchError(f"{len(rows)} people had it, not some {_HOLDERS}")
        return took

    async def _timeline(self, engine: Engine, chance: random.Random) -> float:
        person = chance.randrange(self._people)
        took, rows = await _ask(engine, "person", person=f"person{person}")
        # More, once they have been asked for: that is in their timeline, too.
        if not _OF_A_PERSON <= len(rows) < 1.5 * _OF_A_PERSON:
            raise BenchError(f"a person has {len(rows)} entries, not {_OF_A_PERSON}")
        return took


async def _ask(engine: Engine, name: str, **given: str) -> tuple[float, list[Row]]:
    question = questions()[name]
    asked = question.parameters.model_validate({"tenant": traffic.TENANT} | given)
    reader = Reader("bench", "bench", str.lower, (), ())
    begin = time.perf_counter()
    page = await answer(engine, question, asked, reader, limit=10_000)
    return time.perf_counter() - begin, page.rows


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
    few, many = Asked(one, "asked_few", small), Asked(one, "asked_many", large)
    name = f"{_short(large)}_vs_{_short(small)}"
    for number in range(rounds):
        say(f"questions, round {number + 1} of {rounds}")
        a = asyncio.run(many.times(asks, number))
        b = asyncio.run(few.times(asks, number))
        notebook.note(
            **{f"asof_{name}": a["asof"] / b["asof"], f"timeline_{name}": a["timeline"] / b["timeline"]},
            asof_ms=1000 * a["asof"],
            timeline_ms=1000 * a["timeline"],
        )
    for ledger in ("asked_few", "asked_many"):
        one.postgres.drop(ledger)


def _short(entries: int) -> str:
    return f"{entries // 1_000_000}m" if entries >= 1_000_000 else f"{entries // 1000}k"


def steps(rounds: int) -> int:
    """How often `say` will be called."""
    return 1 + rounds

"""Imports beside hooks for the same people: never an error, a deadlock, a lost hook or a person twice."""

import asyncio
import random
import uuid
from pathlib import Path

from commands.importing.carry import Carrier
from commands.importing.files import chunks, look_over
from commands.importing.prepare import Job, Preparer
from ledger.engine import Pool
from ledger.importing import Counts, Session, Start, importing
from ledger.receive import Delivery, Fact, Receipt, receive
from settings import Store, Tenant
from tests.support import delivery, rows, validation

FACT = Fact(status="ACTIVE", left=False, archived=False, version=None, updated=None)
PEOPLE = 400


def _job(tenant: str, source_hash: str) -> Job:
    return Job(
        tenant=tenant,
        unique=Tenant.model_fields["unique"].default,
        region="IN",
        show_login=True,
        max_depth=64,
        actor="os:tester",
        code_version="test",
        rules_hash="import:test",
        file=source_hash[:16],
        columns=None,
    )


async def carry(store: Store, tenant: str, file: Path, rows: int = 50) -> Counts:
    """Imports a file of JSON lines, in small chunks."""
    source = look_over(file, None)
    job = _job(tenant, source.hash)
    preparer, counts = Preparer(job), Counts()
    async with importing(store, tenant) as session:
        run = await session.begin(Start(uuid.uuid4(), source.hash, source.reading, job.actor, anew=True))
        carrier = Carrier(session, job)
        for raw in chunks(source, rows, 0, 1 << 20):
            counts += (await carrier.carry(run.id, raw, preparer.chunk(raw))).counts
            await asyncio.sleep(0)
    return counts


def write_people(path: Path, tenant: str, *, swapped: bool = False) -> Path:
    """Everybody's e-mail is also somebody else's once it is swapped, and so is every second login."""
    with path.open("w") as file:
        for n in range(PEOPLE):
            login = f"{tenant}{n ^ 1 if swapped and n % 4 < 2 else n}"
            file.write(
                f'{{"id":"{tenant}:{n}","login":"{login}","email":"{tenant}{n ^ (swapped * 3)}@x.example"}}\n'
            )
    return path


def _hook(tenant: str, chance: random.Random) -> Delivery:
    n = chance.randrange(PEOPLE)
    login, email = (
        f"{tenant}{chance.choice((n, n ^ 1))}",
        ("email", f"{tenant}{chance.choice((n, n ^ 1))}@x.example"),
    )
    named = chance.choice((None, f"{tenant}:{n}"))
    match chance.randrange(4):
        case 0:
            return validation(login, tenant=tenant, values=[email])
        case 1:
            return delivery(login, tenant=tenant, platform_id=named)
        case 2:
            values = sorted([email, ("login", login)])
            return delivery(
                login,
                "postUpdateUser",
                tenant=tenant,
                platform_id=named,
                fact=True,
                identity=FACT,
                values=values,
            )
        case _:
            create = {"creates": True, "fact": True, "identity": FACT, "values": [email]}
            return delivery(login, "postCreateUser", tenant=tenant, platform_id=named, **create)


async def _hooks(pool: Pool, tenant: str, seed: int, ended: asyncio.Event) -> list[tuple[Delivery, Receipt]]:
    chance = random.Random(seed)
    sent: list[tuple[Delivery, Receipt]] = []
    while not ended.is_set():
        hook = _hook(tenant, chance)
        sent.append((hook, await receive(pool, hook)))
    return sent


async def test_hooks_for_the_same_people_race_an_import(pool: Pool, store: Store, tmp_path: Path) -> None:
    for attempt in range(3):
        tenant = f"t{uuid.uuid4().hex[:8]}"
        files = [
            write_people(tmp_path / "a.jsonl", tenant),
            write_people(tmp_path / "b.jsonl", tenant, swapped=True),
        ]
        ended = asyncio.Event()
        racers = [asyncio.create_task(_hooks(pool, tenant, attempt * 10 + n, ended)) for n in range(8)]
        try:
            counts = [await carry(store, tenant, file) for file in files]
        finally:
            ended.set()
            sent = [pair for racer in await asyncio.gather(*racers) for pair in racer]

        assert [c.rows for c in counts] == [PEOPLE, PEOPLE]
        assert len(sent) > 20
        assert all(receipt.seq for _, receipt in sent)
        await _is_sound(pool, tenant, [hook.id for hook, _ in sent])


async def _is_sound(pool: Pool, tenant: str, sent: list[uuid.UUID]) -> None:
    """Everything that must hold whoever came first."""
    kept = await pool.fetchval("SELECT count(*) FROM deliveries WHERE id = ANY ($1)", sent)
    assert kept == len(sent)
    gaps = await rows(
        pool,
        "SELECT s.id FROM subjects s JOIN deliveries d ON d.subject = s.id WHERE s.tenant = $1"
        " GROUP BY s.id HAVING count(*) <> s.seq OR max(d.seq) <> s.seq OR min(d.seq) <> 1",
        tenant,
    )
    assert gaps == []
    twice = await rows(
        pool,
        "SELECT kind, value FROM handles WHERE tenant = $1 AND until IS NULL GROUP BY 1, 2 HAVING count(*) > 1",
        tenant,
    )
    assert twice == []
    ids = await rows(
        pool,
        "SELECT count(DISTINCT subject) AS n FROM handles WHERE tenant = $1 AND kind = 'id' AND until IS NULL",
        tenant,
    )
    assert ids == [{"n": PEOPLE}]
    unsaid = await rows(
        pool,
        "SELECT d.id FROM deliveries d WHERE d.tenant = $1 AND NOT EXISTS"
        " (SELECT 1 FROM entries e WHERE e.subject = d.subject AND e.delivery = d.id)",
        tenant,
    )
    assert unsaid == []
    # A value that two people share was told by one who came later, and that one's delivery says so.
    silent = await rows(
        pool,
        "SELECT k.attribute FROM known_values k WHERE k.tenant = $1 AND EXISTS"
        " (SELECT 1 FROM known_values o WHERE o.tenant = $1 AND o.attribute = k.attribute AND o.value = k.value"
        "   AND o.subject <> k.subject)"
        " GROUP BY k.attribute, k.value HAVING NOT EXISTS (SELECT 1 FROM entries e WHERE e.tenant = $1"
        "   AND e.outcome = 'conflict' AND e.subject IN (SELECT o.subject FROM known_values o WHERE o.tenant = $1"
        "   AND o.attribute = k.attribute AND o.value = k.value))",
        tenant,
    )
    assert silent == []


async def test_a_chunk_takes_no_more_locks_than_the_server_can_spare(store: Store) -> None:
    async with importing(store, "locks") as session:
        most = await session.most_locks()
        await _locks(session, most)

    assert most >= 1000


async def _locks(session: Session, count: int) -> None:
    async with session.chunk():
        await session.lock(list(range(count)))


async def test_look_ups_stay_by_key_when_the_tables_have_grown(
    store: Store, pool: Pool, tmp_path: Path
) -> None:
    """Planned while the tables were small: the same statement may not read a whole one once they are large."""
    tenant = f"t{uuid.uuid4().hex[:8]}"
    file = write_people(tmp_path / "people.jsonl", tenant)
    await carry(store, tenant, file, rows=PEOPLE)
    before = await _read(pool)

    await carry(store, tenant, file, rows=10)

    assert await _read(pool) - before < 20 * PEOPLE


async def _read(pool: Pool) -> int:
    """Rows that index scans of these tables have read."""
    await pool.execute("SELECT pg_stat_force_next_flush()")
    await pool.execute("SELECT pg_stat_clear_snapshot()")
    return int(
        await pool.fetchval(
            "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname IN ('handles', 'known_values', 'identities')"
        )
    )

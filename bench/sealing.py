"""What sealing and verifying cost, beside what neither could save; and what appending loses to being sealed.

The floor reads the very rows by COPY, puts each into its RFC 8785 form, and hashes it, in one process. All times are by the
clock, as one waits for them. Appending is receive() on a few connections; while it is sealed, a sealer runs beside it every
second, sixty times as often as it is configured to.
"""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from uuid_utils.compat import uuid7

from bench import policy, traffic
from bench.figures import Notebook
from bench.stack import ROOT, BenchError, Stack
from ledger.engine import Pool, connect_to_read, open_pool
from ledger.leaf import leaf, selected
from ledger.lines import read_lines
from ledger.note import verifiers_of
from ledger.receive import Delivery, Person, receive
from ledger.tree import leaf_hash
from ledger.verify import Asked, verify
from runtime.sealer import Sealer
from settings import Settings, load

_SEAL = """
[ledger.seal]
origin = "bench.example/ledger"
interval = 1
keys = [{ name = "bench", secret = { env = "BENCH_SEAL" } }]
"""
_CONNECTIONS = 4
_SLICE = 0.25
"""Seconds."""

# As hooks leave them, all in one month: each delivery with its body, the entry that tells of it, and one for its activity.
_FILL = r"""
SET ROLE hookledger_owner;
CREATE FUNCTION pg_temp.id(n integer) RETURNS uuid LANGUAGE sql STABLE
    RETURN overlay(replace(first_uuid(date_trunc('month', now())::date)::text, '-', '') PLACING left(md5('d' || n), 16) FROM 17)::uuid;
INSERT INTO subjects (id, tenant, workflow_id, seq, created_at)
SELECT md5('s' || n)::uuid, 'TENANT', 'sealed:' || n, 10, now() FROM generate_series(0, PEOPLE - 1) n;
INSERT INTO deliveries (id, tenant, subject, seq, hook, application, actor, verdict, rules_hash, commitment, received_at)
SELECT pg_temp.id(n), 'TENANT', md5('s' || n % PEOPLE)::uuid, n / PEOPLE + 1, 'postProvision',
       'app' || n % 20, 'a' || md5('a' || n % 7), 'received', md5('rules'),
       sha256('hookledger/body/v1'::bytea || '\x00' || decode(md5('x' || n), 'hex') || convert_to(b.body, 'UTF8')), now()
  FROM generate_series(0, PEOPLE * 10 - 1) n,
       LATERAL (SELECT '{"request":{"user":{"login":"person' || n || '","note":"' || repeat('é', 300) || '"}}}' AS body) b;
INSERT INTO bodies (delivery, salt, body)
SELECT pg_temp.id(n), decode(md5('x' || n), 'hex'),
       '{"request":{"user":{"login":"person' || n || '","note":"' || repeat('é', 300) || '"}}}'
  FROM generate_series(0, PEOPLE * 10 - 1) n;
INSERT INTO entries (at, tenant, subject, delivery, seq, hook, application, activity, outcome, attempt, actor, code_version,
                     rules_hash, detail, commitment)
SELECT d.received_at, d.tenant, d.subject, d.id, d.seq, d.hook, d.application, e.activity, e.outcome, e.attempt, d.actor,
       '0.1.0+' || md5('code'), d.rules_hash, e.detail, d.commitment
  FROM deliveries d, LATERAL (VALUES (NULL, 'received', NULL, '{}'::jsonb),
                                     ('provisioning', 'done', 1, '{"roles": ["a", "b"]}')) AS e (activity, outcome, attempt, detail);
RESET ROLE;
ANALYZE;
"""


def round_of(one: Stack, entries: int, seconds: float, number: int, notebook: Notebook) -> None:
    """One round of everything. Raises BenchError if what was sealed does not verify."""
    database, environment = configured(one, f"sealing{number}")
    one.postgres.sql(fill(entries), database.name)
    one.wait_until_quiet()
    floor = told(environment, "floor")[0]
    sealing = told(environment, "seal")[0]
    again = told(environment, "floor")[0]
    verifying = told(environment, "verify")[0]
    one.postgres.drop(database.name)
    appended = _appending(one, seconds, number)
    count = entries // 20 * 20
    notebook.note(
        seal_vs_floor=floor / sealing,
        verify_vs_floor=again / verifying,
        append_with_seal_vs_without=appended[True] / appended[False],
        seal_entries_per_s=count / sealing,
        verify_entries_per_s=count / verifying,
        floor_entries_per_s=count / again,
        append_with_seal_per_s=appended[True],
        append_without_seal_per_s=appended[False],
    )


def fill(entries: int) -> str:
    """SQL that leaves so many entries as hooks do, not sealed yet; a multiple of twenty."""
    return _FILL.replace("PEOPLE", str(entries // 20)).replace("TENANT", traffic.TENANT)


def configured(one: Stack, name: str) -> tuple[Any, dict[str, str]]:
    """A fresh database, and the environment of processes that can seal it."""
    database, environment = one.configured(name, policy.HEADER + _SEAL)
    return database, environment | {"BENCH_SEAL": secrets.token_urlsafe(32)}


def told(environment: dict[str, str], what: str) -> list[float]:
    """What a process of its own measures. Raises BenchError."""
    command = [sys.executable, "-m", "bench.sealing", what]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{what} failed: {done.stderr.strip()[-500:]}")
    return [float(number) for number in done.stdout.split()]


def _appending(one: Stack, seconds: float, number: int) -> dict[bool, float]:
    """Deliveries per second, with a sealer and with neither queue nor sealer: in slices, in turn, from one client."""
    with_seal, environment = configured(one, f"append{number}sealed")
    without, _ = configured(one, f"append{number}bare")
    one.postgres.sql("DROP TRIGGER queue_for_sealing ON entries", without.name)
    one.wait_until_quiet()
    command = [sys.executable, "-m", "bench.sealing", "keep-sealing"]
    sealer = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        asked = environment | {"BENCH_WITHOUT": without.app_url, "BENCH_SECONDS": str(seconds)}
        sealed, bare = told(asked, "append")
    finally:
        sealer.terminate()
        sealer.wait()
    one.postgres.drop(with_seal.name)
    one.postgres.drop(without.name)
    return {True: sealed, False: bare}


async def floor(settings: Settings) -> float:
    """Seconds for COPY, RFC 8785 and SHA-256 of all entries."""
    connection = await connect_to_read(settings.store, "bench floor")

    async def take(lines: list[bytes]) -> None:
        for line in lines:
            leaf_hash(leaf(line))

    begin = time.perf_counter()
    await read_lines(connection, f"SELECT {selected('e')} FROM entries e ORDER BY e.id", take=take)
    took = time.perf_counter() - begin
    await connection.close()
    return took


async def seal(settings: Settings) -> float:
    """Seconds until nothing waits."""
    sealer = Sealer(settings)
    begin = time.perf_counter()
    while (await sealer.seal()).waiting:
        pass
    return time.perf_counter() - begin


async def verified(settings: Settings) -> float:
    """Seconds for the whole. Raises BenchError if something is found."""
    begin = time.perf_counter()
    verdict = await verify(
        settings.store, Asked(verifiers_of(settings.ledger.seal)), lambda _done, _total: None
    )
    took = time.perf_counter() - begin
    if verdict.findings or verdict.waiting:
        raise BenchError(f"what was sealed does not verify: {verdict.findings[:1]}")
    return took


async def append(settings: Settings) -> str:
    """Deliveries per second of both sides, the sealed one first; slices in the order of a palindrome, so that a machine that
    grows slower does so for both."""
    sealed = settings.store.model_copy(update={"pool_size": _CONNECTIONS})
    bare = sealed.model_copy(update={"url": os.environ["BENCH_WITHOUT"]})
    pools = [await open_pool(store, "bench append") for store in (sealed, bare)]
    slices = round(float(os.environ["BENCH_SECONDS"]) / _SLICE / 2)
    counts = [0, 0]
    for pool in pools:
        await _slice(pool)
    for side in (0, 1, 1, 0) * slices:
        counts[side] += await _slice(pools[side])
    for pool in pools:
        await pool.close()
    return " ".join(str(count / (2 * slices * _SLICE)) for count in counts)


async def _slice(pool: Pool) -> int:
    count, end = 0, time.perf_counter() + _SLICE

    async def caller() -> None:
        nonlocal count
        while time.perf_counter() < end:
            await receive(pool, _delivery())
            count += 1

    await asyncio.gather(*(caller() for _ in range(_CONNECTIONS)))
    return count


def _delivery() -> Delivery:
    id_ = uuid7()
    body = '{"request":{"user":{"login":"' + id_.hex + '"}}}'
    person = Person(id_.hex, None, id_, f"user-lifecycle:{id_}")
    return Delivery(
        id=id_,
        tenant=traffic.TENANT,
        hook="postProvision",
        verdict="received",
        body=body,
        actor="bench",
        acting_for=None,
        code_version="bench",
        rules_hash="bench",
        person=person,
    )


async def keep_sealing(settings: Settings) -> float:
    """Until it is ended."""
    sealer = Sealer(settings)
    while os.getppid() > 1:
        await sealer.seal()
        await asyncio.sleep(1)
    return 0.0


_WHAT: dict[str, Callable[[Settings], Coroutine[Any, Any, float | str]]] = {
    "floor": floor,
    "seal": seal,
    "verify": verified,
    "append": append,
    "keep-sealing": keep_sealing,
}

if __name__ == "__main__":
    print(asyncio.run(_WHAT[sys.argv[1]](load())))

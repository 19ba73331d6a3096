"""Verifies the ledger: one snapshot, the tree recomputed as a stream, what stands beside it checked at the same time."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ledger.crosschecks import CHECKS, read_leafless, run_check
from ledger.dropped import read_dropped
from ledger.engine import StoreErrors, connect_to_read
from ledger.handover import HandOver, read_handovers, told_of
from ledger.leaf import COLUMNS, selected
from ledger.lines import read_lines
from ledger.note import Checkpoint, VerifierKey
from ledger.recompute import Finding, Recomputation, StoredCheckpoint
from ledger.seal import count_waiting, read_edge
from ledger.tree import Edge
from ledger.visit import OutOfReach, why
from settings import Store
from settings.spans import FLOOR

Say = Callable[[int, int], None]
"""Hears how many leaves of how many are done."""

_LEAVES = f"""
    SELECT l.number, l.entry, l.leaf_version, encode(l.hashes, 'hex'), {selected("e")}
      FROM leaves l LEFT JOIN entries e ON e.id = l.entry WHERE l.number >= $1 ORDER BY l.number
"""
# An hour before the newest checkpoint that had left nothing behind: no transaction of ours stays open so long.
_CHECKPOINTS = """
    SELECT c.number, c.origin, c.size, c.root, c.note,
           CASE WHEN c.drained THEN to_char((c.at - interval '1 hour') AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') ELSE '' END
      FROM checkpoints c WHERE c.number > $1 AND c.size > $2 ORDER BY c.number LIMIT $3
"""
_AS_THEY_STAND = "SET enable_bitmapscan = off; SET enable_sort = off"
"""Leaves are read by their numbers and entries by key, row after row: a plan that joins first would sort all of them on disk."""
_PAGE = 500
_OPEN = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"


class Unverifiable(Exception):
    """What is asked cannot be looked at; the text says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to verify. `kept`: checkpoints from elsewhere, signatures checked; `since`: only what came after this one.

    `floor`: the age below which no deed of retention is believed.
    """

    keys: Sequence[VerifierKey]
    kept: Sequence[Checkpoint] = ()
    since: Checkpoint | None = None
    floor: timedelta = FLOOR


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `entries` were recomputed, `size` leaves there are, `waiting` entries are not sealed yet."""

    entries: int
    size: int
    waiting: int
    checkpoints: int
    kept: int
    """Checkpoints from elsewhere that were compared."""
    findings: Sequence[Finding]
    more: int
    """Rows that do not fit beyond those that are named."""
    checks: Sequence[str] = field(default=())
    """What was checked besides the tree."""
    dropped: int = 0
    """Leaves whose entries retention has dropped: they count by their hashes."""


async def verify(store: Store, asked: Asked, say: Say) -> Verdict:
    """Reads one snapshot of the ledger, by COPY, in constant memory. Raises OutOfReach, Unverifiable."""
    try:
        async with AsyncExitStack() as stack:
            tree = await stack.enter_async_context(_connected(store, by_key=True))
            beside, heads = [await stack.enter_async_context(_connected(store)) for _ in range(2)]
            await tree.execute(_AS_THEY_STAND)
            await tree.execute(_OPEN)
            snapshot = await tree.fetchval("SELECT pg_export_snapshot()")
            for other in (beside, heads):
                await other.execute(_OPEN)
                await other.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            return await _verify(tree, beside, heads, asked, say)
    except StoreErrors as wrong:
        raise OutOfReach(f"the store {why(wrong)}") from None


@asynccontextmanager
async def _connected(store: Store, *, by_key: bool = False) -> AsyncGenerator[Any]:
    connection = await connect_to_read(store, "hookledger verify", by_key=by_key)
    try:
        yield connection
    finally:
        await connection.close()


async def _verify(tree: Any, beside: Any, heads: Any, asked: Asked, say: Say) -> Verdict:
    handovers = await read_handovers(heads, asked.keys)
    edge = await _begin(heads, asked.since, handovers)
    dropped = await read_dropped(heads, min(asked.floor, FLOOR))
    told = [(kept, by) for kept in asked.kept if (by := told_of(kept, handovers))]
    unexplained = [kept for kept in asked.kept if not told_of(kept, handovers)]
    recomputation = Recomputation(asked.keys, unexplained, edge, dropped)
    pass_ = _Pass(heads, recomputation, asked.since.size if asked.since else -1)
    total = int(await heads.fetchval("SELECT count(*) FROM leaves WHERE number >= $1", edge.size)) + edge.size
    checks = [check for check in CHECKS if asked.since is None or not check.whole]

    async def others() -> list[Finding]:
        return [finding for check in checks for finding in await run_check(beside, check, dropped)]

    side = asyncio.create_task(others())
    try:
        await pass_.run(tree, lambda done: say(done, total))
        beside_the_tree = await side
    finally:
        side.cancel()
    leafless = await read_leafless(beside)
    by_id = {line.split(b"\t", _ID + 1)[_ID]: line for line in leafless}
    explained = recomputation.end(await pass_.beyond(), by_id)
    lost = [
        Finding("restored", f"checkpoint of {k.size} leaves kept elsewhere", by.words(k)) for k, by in told
    ]
    beside_it = [*_leafless(by_id.keys() - explained, recomputation), *beside_the_tree]
    findings = [*recomputation.findings, *lost, *beside_it]
    named = sum(finding.leaf is not None for finding in findings)
    return Verdict(
        entries=recomputation.rows - sum(dropped.gone),
        size=recomputation.size,
        waiting=await count_waiting(heads),
        checkpoints=pass_.seen,
        kept=len(asked.kept) + (asked.since is not None),
        findings=findings,
        more=max(0, recomputation.odd - named),
        checks=[check.name for check in checks],
        dropped=sum(dropped.gone),
    )


_ID = COLUMNS.index("id")


async def _begin(connection: Any, since: Checkpoint | None, handovers: Sequence[HandOver]) -> Edge:
    """The edge from which to recompute, if what is kept of the tree before it is what the checkpoint signs."""
    if since is None:
        return Edge()
    if told := told_of(since, handovers):
        raise Unverifiable(f"the checkpoint cannot be begun at: {told.words(since)}")
    try:
        edge = await read_edge(connection, since.size)
    except (KeyError, ValueError):
        words = "its leaves are not all there: the ledger ends before it, or some were removed"
        raise Unverifiable(
            f"the checkpoint cannot be begun at: {words}; verify the whole against it"
        ) from None
    if edge.root() != since.root:
        words = "the ledger's tree of that size is another one"
        raise Unverifiable(f"the checkpoint cannot be begun at: {words}; verify the whole against it")
    return edge


def _leafless(ids: set[bytes], recomputation: Recomputation) -> list[Finding]:
    """Entries beside the tree: put there past the queue; or, where leaves are gone, without theirs."""
    numbers = sorted(int(id_) for id_ in ids)
    if recomputation.lost:
        return [
            Finding("missing", f"entry {id_}", "it is not in the tree, and not waiting") for id_ in numbers
        ]
    words = "it is neither sealed nor waiting to be: it was written past the queue"
    return [Finding("inserted", f"entry {id_}", words) for id_ in numbers]


class _Pass:
    """Feeds leaves and checkpoints to the recomputation, each as it is due."""

    def __init__(self, heads: Any, recomputation: Recomputation, after: int) -> None:
        self._heads = heads
        self._to = recomputation
        self._after = after
        self._page: list[StoredCheckpoint] = []
        self._last = 0
        self.seen = 0

    async def run(self, tree: Any, say: Callable[[int], None]) -> None:
        """Reads all leaves."""
        await self._turn()

        async def take(lines: list[bytes]) -> None:
            place = 0
            while place < len(lines):
                due = self._page[0].checkpoint.size if self._page else 1 << 62
                place = self._to.rows_until(lines, place, due)
                await self._meet()
            say(self._to.size)

        await read_lines(tree, _LEAVES, self._to.size, take=take)

    async def beyond(self) -> list[StoredCheckpoint]:
        """The newest checkpoint, if it is of a larger tree than there is."""
        newest: list[StoredCheckpoint] = []
        while self._page:
            newest = self._page[-1:]
            await self._turn()
        return newest

    async def _meet(self) -> None:
        while self._page and self._page[0].checkpoint.size <= self._to.size:
            self._to.at_checkpoint(self._page.pop(0))
            self.seen += 1
            if not self._page:
                await self._turn()

    async def _turn(self) -> None:
        rows = await self._heads.fetch(_CHECKPOINTS, self._last, self._after, _PAGE)
        self._page = [
            StoredCheckpoint(row[0], Checkpoint(row[1], row[2], row[3]), row[4], row[5].encode())
            for row in rows
        ]
        self._last = rows[-1][0] if rows else self._last

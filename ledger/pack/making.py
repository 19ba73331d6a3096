"""Makes a pack: one moment of the store, read once for each file, in constant memory; and says in the ledger who did."""

import csv
import io
import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from ledger.access import BEGUN, BROKEN_OFF, READ, record_access
from ledger.answer import Reader
from ledger.engine import connect_to_read
from ledger.handover import handover_of, told_of
from ledger.leaf import leaf, selected
from ledger.lines import read_lines
from ledger.named import ever_named
from ledger.note import Checkpoint, ForgedNote, NoteError, VerifierKey, checkpoint_of, line_of, open_note
from ledger.pack.archive import Archive, Fact, Write
from ledger.pack.asked import PackAsked, Selection, moment, select
from ledger.pack.proof import Proof, leaf_in
from ledger.prove import Tampered, Unprovable
from ledger.questions.totals import QUESTION as TOTALS
from ledger.report import cell, line
from ledger.seal import Head, read_head
from ledger.tree import leaf_hash
from settings import Store

FORMAT = "hookledger-pack/1"
COLUMNS = (
    "leaf", "id", "at", "tenant", "subject", "seq", "hook", "application", "activity", "outcome", "attempt", "actor",
    "acting_for", "delivery", "code_version", "rules_hash", "commitment", "leaf_version", "detail",
)  # fmt: skip
"""Of the CSV."""

Say = Callable[[int, int], None]
"""Hears how many rows of how many were written, over all files."""

_HERE = Path(__file__).parent
_ENCLOSED = ("README.txt", "schema.json", "verify.py")
_OPEN = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_FROM = "FROM entries e JOIN leaves l ON l.entry = e.id WHERE e.tenant = $1{more}"
_COUNT = "SELECT count(*), count(l.entry) FROM entries e LEFT JOIN leaves l ON l.entry = e.id WHERE e.tenant = $1{more}"
_ROWS = f"SELECT l.number, encode(substr(l.hashes, 1, 32), 'hex'), {selected('e')} {_FROM} ORDER BY l.number"
_LEAVES = f"SELECT l.number, encode(substr(l.hashes, 1, 32), 'hex') {_FROM} ORDER BY l.number"
# With the first of its rows; later ones tell the same commitment.
_BODIES = f"""
    SELECT c.number, c.delivery, encode(b.salt, 'hex') AS salt, b.body
      FROM (SELECT e.delivery, min(l.number) AS number {_FROM} AND e.commitment IS NOT NULL GROUP BY e.delivery) AS c
      LEFT JOIN bodies b ON b.delivery = c.delivery ORDER BY c.number
"""
_KEPT = r"""
    WITH handovers AS (SELECT number FROM checkpoints WHERE strpos(note, E'\nrestored ') > 0),
         daily AS (SELECT DISTINCT ON ((at AT TIME ZONE 'UTC')::date) number FROM checkpoints
                    ORDER BY (at AT TIME ZONE 'UTC')::date, number DESC)
    SELECT note FROM checkpoints
     WHERE number IN (SELECT number FROM daily UNION SELECT number FROM handovers UNION SELECT number - 1 FROM handovers)
     ORDER BY number
"""
"""The last of each day: who keeps one a day can compare it, and so few cost nothing. What tells of a restore, and the head before."""


class NobodyNamed(Exception):
    """The name that was asked for was never anybody's."""


@dataclass(frozen=True, slots=True)
class Making:
    """What a pack is made of. `kept`: notes from elsewhere that it must be comparable with."""

    store: Store
    engine: AsyncEngine
    asked: PackAsked
    reader: Reader
    keys: Sequence[VerifierKey]
    kept: Sequence[str] = ()
    receipt: UUID = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True)
class Made:
    """What has been made. `waiting` rows were asked for and are not sealed yet, so they are not in it."""

    rows: int
    waiting: int
    bodies: int
    gone: int
    """Deliveries whose body is not kept any more."""
    checkpoint: Checkpoint
    manifest: str
    """SHA-256 of manifest.json, which names the hash of every other file."""
    receipt: UUID


async def make_pack(making: Making, write: Write, say: Say = lambda _done, _all: None) -> Made:
    """Writes the archive. Raises NobodyNamed, Unprovable, Tampered, ledger.engine.StoreErrors and EngineErrors.

    That it is being read is committed before the first row is handed out, and how it went at the end.
    """
    async with AsyncExitStack() as stack:
        rows, beside = [await stack.enter_async_context(_connected(making)) for _ in range(2)]
        await rows.execute(_OPEN)
        snapshot = await rows.fetchval("SELECT pg_export_snapshot()")
        await beside.execute(_OPEN)
        await beside.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        people = await _people(making)
        head = await read_head(beside)
        if head is None:
            raise Unprovable("nothing is sealed yet, so nothing can be proved: run ./hookledger ledger seal")
        pack = _Pack(making, rows, beside, snapshot, people, head, Archive(write), say)
        await _record(making, people, BEGUN, {})
        try:
            made = await pack.make()
        except BaseException:
            await _record(making, people, BROKEN_OFF, {"rows": pack.rows})
            raise
        await _record(making, people, READ, {"rows": made.rows, "sha256": made.manifest})
        return made


@asynccontextmanager
async def _connected(making: Making) -> AsyncGenerator[Any]:
    connection = await connect_to_read(making.store, "hookledger pack", tenants=making.asked.tenant)
    try:
        yield connection
    finally:
        # Whoever leaves early leaves a COPY behind, for whose end close() would wait.
        connection.terminate()


async def _people(making: Making) -> tuple[UUID, ...] | None:
    if making.asked.person is None:
        return None
    names = {making.asked.person, making.reader.login(making.asked.person)}
    async with making.engine.connect() as connection:
        people = tuple(await ever_named(connection, names, making.asked.tenant))
    if not people:
        raise NobodyNamed(f"nobody was ever called so in {making.asked.tenant}")
    return people


async def _record(
    making: Making, people: Sequence[UUID] | None, outcome: str, more: Mapping[str, Any]
) -> None:
    told = making.asked.told()
    del told["tenant"]
    async with making.engine.begin() as connection:
        await record_access(
            connection,
            tenant=making.asked.tenant,
            actor=making.reader.actor,
            code_version=making.reader.code_version,
            outcome=outcome,
            people=people or (),
            detail={"question": "pack", "parameters": told, **more},
            receipt=making.receipt,
        )


@dataclass
class _Pack:
    """One pack under way: a method for each file."""

    making: Making
    connection: Any
    beside: Any
    snapshot: str
    people: tuple[UUID, ...] | None
    head: Head
    archive: Archive
    say: Say

    def __post_init__(self) -> None:
        self.selection: Selection = select(self.making.asked, self.people)
        self.rows = 0
        self.total = self.waiting = self.bodies = self.gone = 0
        self._done = 0
        self._passes = 4 if self.making.asked.bodies else 3
        self._counts: Counter[tuple[str, str, str]] = Counter()

    async def make(self) -> Made:
        """All files in their order: what says what the others hold comes last."""
        count = await self.beside.fetchrow(self._sql(_COUNT), *self.selection.values)
        self.total, self.waiting = count[1], count[0] - count[1]
        notes = await self._notes()
        checkpoint = notes[self.head.note]
        for name in _ENCLOSED:
            await self.archive.add(name, (_HERE / name).read_bytes())
        await self.archive.add("keys.txt", "".join(f"{key}\n" for key in self._keys(notes)).encode())
        await self.archive.add("checkpoint.txt", self.head.note.encode())
        await self._checkpoints(notes)
        await self._entries()
        await self._csv()
        await self._proof({one.size: one.root for one in [*notes.values(), checkpoint]})
        if self.making.asked.bodies:
            await self._bodies()
        await self._totals()
        if self.making.asked.whole:
            await self._control()
        manifest = await self._manifest(checkpoint)
        await self.archive.end()
        return Made(
            rows=self.rows,
            waiting=self.waiting,
            bodies=self.bodies,
            gone=self.gone,
            checkpoint=checkpoint,
            manifest=manifest.sha256,
            receipt=self.making.receipt,
        )

    def _sql(self, statement: str) -> str:
        return statement.format(more=self.selection.more)

    async def _notes(self) -> dict[str, Checkpoint]:
        """The checkpoints of the pack by their notes: of each day, those that were given, what a restore handed over; the newest last."""
        stored = [row[0] for row in await self.beside.fetch(_KEPT)]
        texts = {note: self._opened(note) for note in [*stored, self.head.note]}
        handovers = [told for text in texts.values() if (told := handover_of(text))]
        places = {note: place for place, note in enumerate(texts, 1)}
        for note in self.making.kept:
            text = self._opened(note)
            # What a restore lost is in no tree any more. The hand-over tells of it, and so does the verifier.
            if told_of(checkpoint_of(text), handovers) is None:
                texts.setdefault(note, text)
        found = {note: checkpoint_of(text) for note, text in texts.items()}
        self._must_fit(found.values())
        return dict(sorted(found.items(), key=lambda one: (one[1].size, places.get(one[0], 0))))

    def _opened(self, note: str) -> str:
        try:
            checkpoint_of(text := open_note(note, self.making.keys))
            handover_of(text)
        except ForgedNote:
            words = "a checkpoint's signature is not of its text: run ./hookledger ledger verify"
            raise Tampered(words) from None
        except NoteError as wrong:
            raise Unprovable(f"a checkpoint cannot be put into the pack: {wrong}") from None
        return text

    def _must_fit(self, checkpoints: Iterable[Checkpoint]) -> None:
        newest = self.head.checkpoint.size
        roots: dict[int, bytes] = {}
        for one in checkpoints:
            if one.size > newest:
                raise Tampered(
                    f"the ledger ends at {newest} leaves, and a checkpoint is of {one.size}: "
                    "run ./hookledger ledger verify --kept FILE"
                )
            if roots.setdefault(one.size, one.root) != one.root:
                raise Tampered(
                    f"two checkpoints of {one.size} leaves sign different trees: run ./hookledger ledger verify --kept FILE"
                )

    def _keys(self, notes: Mapping[str, Checkpoint]) -> dict[str, None]:
        """As configured, and under each name that a restore gave them: other programs know no key by another name."""
        lines = dict.fromkeys(map(str, self.making.keys))
        for note, checkpoint in notes.items():
            for key in self.making.keys:
                named = key.named(checkpoint.origin)
                if key.name == line_of(checkpoint.origin) and _signed_by(named, note):
                    lines[str(named)] = None
        return lines

    async def _checkpoints(self, notes: Mapping[str, Checkpoint]) -> None:
        async with self.archive.member("checkpoints.jsonl") as file:
            for note, checkpoint in notes.items():
                await file.put(line({"size": checkpoint.size, "note": note}).encode(), 1)

    async def _entries(self) -> None:
        """Rows as they were sealed, with the number of their leaf before the rest."""
        async with self.archive.member("entries.jsonl") as file:

            async def take(lines: list[bytes]) -> None:
                written: list[bytes] = []
                for one in lines:
                    number, hexed, own = one.split(b"\t", 2)
                    sealed = leaf(own)
                    if leaf_hash(sealed) != leaf_in(hexed):
                        entry = json.loads(sealed)["id"]
                        raise Tampered(
                            f"entry {entry} is not as it was sealed: run ./hookledger ledger verify"
                        )
                    written.append(b'{"leaf":' + number + b"," + sealed[1:] + b"\n")
                self.rows += len(written)
                await file.put(b"".join(written), len(written))
                self._told(len(written))

            await self._read(_ROWS, take)

    async def _csv(self) -> None:
        """The same for reading; and what totals are counted of."""
        async with self.archive.member("entries.csv") as file:
            await file.put((",".join(COLUMNS) + "\r\n").encode())

            async def take(lines: list[bytes]) -> None:
                out = io.StringIO()
                writer = csv.writer(out)
                for one in lines:
                    number, _, own = one.split(b"\t", 2)
                    row = json.loads(leaf(own)) | {"leaf": int(number)}
                    self._counts[row["at"][:10], row["hook"], row["outcome"]] += 1
                    writer.writerow([cell(row[name]) for name in COLUMNS])
                await file.put(out.getvalue().encode(), len(lines))
                self._told(len(lines))

            await self._read(_ROWS, take)

    async def _proof(self, roots: Mapping[int, bytes]) -> None:
        proof = Proof(self.beside, roots)
        async with self.archive.member("proof.txt") as file:

            async def take(lines: list[bytes]) -> None:
                split = (one.split(b"\t") for one in lines)
                written = await proof.lines([(int(number), leaf_in(hexed)) for number, hexed in split])
                await file.put(b"".join(written), len(written))
                self._told(len(lines))

            await self._read(_LEAVES, take)
            rest = await proof.rest()
            await file.put(b"".join(rest), len(rest))

    async def _bodies(self) -> None:
        """Of each delivery, with the first row that tells of it: the body and its salt, or that they are gone."""
        async with self.archive.member("bodies.jsonl") as file:
            cursor = self.connection.cursor(self._sql(_BODIES), *self.selection.values)
            async for number, delivery, salt, body in cursor:
                given = {"leaf": number, "delivery": delivery, "salt": salt, "body": body}
                await file.put(line(given).encode(), 1)
                self.bodies += body is not None
                self.gone += body is None
                self._told(1)

    async def _totals(self) -> None:
        async with self.archive.member("totals.jsonl") as file:
            for (day, hook, outcome), rows in sorted(self._counts.items()):
                told = {"day": day, "hook": hook, "outcome": outcome, "rows": rows}
                await file.put(line(told).encode(), 1)

    async def _control(self) -> None:
        """The control totals of the ledger for the same time, as `ledger totals` gives them, at the same moment."""
        begin = dict(zip(("after_day",), TOTALS.first(), strict=True))
        asked = self.making.asked.values()
        values = {name: asked[name] for name in ("tenant", "since", "until")} | begin | {"limit": None}
        async with self.making.engine.connect() as connection, self.archive.member("control.jsonl") as file:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            await connection.execute(text(f"SET TRANSACTION SNAPSHOT '{self.snapshot}'"))
            result = await connection.stream(text(TOTALS.sql), values)
            async for row in result.mappings():
                await file.put(line({c.name: row[c.name] for c in TOTALS.columns}).encode(), 1)

    async def _manifest(self, checkpoint: Checkpoint) -> Fact:
        asked = self.making.asked
        query: dict[str, Any] = asked.model_dump(mode="json", exclude_none=True, exclude={"since", "until"})
        query |= {name: moment(at) for name in ("since", "until") if (at := getattr(asked, name))}
        told = {
            "pack": FORMAT,
            "query": query,
            "people": None if self.people is None else [str(person) for person in self.people],
            "rows": self.rows,
            "sha256": self.archive.files["entries.jsonl"].sha256,
            "waiting": self.waiting,
            "bodies": {"given": self.bodies, "gone": self.gone} if asked.bodies else None,
            "checkpoint": {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()},
            "made_at": moment(datetime.now(UTC)),
            "made_by": self.making.reader.actor,
            "code_version": self.making.reader.code_version,
            "receipt": str(self.making.receipt),
            "files": {name: fact.as_object() for name, fact in self.archive.files.items()},
        }  # fmt: skip
        return await self.archive.add("manifest.json", (json.dumps(told, indent=2) + "\n").encode())

    async def _read(self, statement: str, take: Callable[[list[bytes]], Awaitable[None]]) -> None:
        await read_lines(self.connection, self._sql(statement), *self.selection.values, take=take)

    def _told(self, rows: int) -> None:
        self._done += rows
        self.say(self._done, max(self._done, self.total * self._passes))


def _signed_by(key: VerifierKey, note: str) -> bool:
    try:
        open_note(note, [key])
    except NoteError:
        return False
    return True

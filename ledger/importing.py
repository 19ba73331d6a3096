"""The store's side of an import: one connection, one transaction for each chunk, safe beside hooks for the same people.

A chunk takes the locks that receive() takes, for all its people at once and in the same order; then it reads who is
known. People nobody knows are copied in; everybody else goes through receive() itself. Locks, always in this order:
the names and values, sorted; the tenant's rename lock; the people's rows. Only one import of a tenant runs at a time,
and receive() holds one person's row at most, so nobody waits in a circle.
"""

from collections.abc import AsyncGenerator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import astuple, dataclass, field
from typing import Any, Protocol
from uuid import UUID

from ledger.engine import Pool, StoreErrors, connect_alone
from ledger.imported import COLUMNS, People
from ledger.receive import Delivery, Receipt, commit_to, receive
from ledger.visit import OutOfReach, why
from settings import Store

_PATIENCE = 60.0
"""Seconds for one statement: a chunk waits for hooks that hold its people."""


class Running(Exception):
    """Another import of the tenant is running."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a line of the file. `attribute` and `other` (a line, a person) may be empty; never a value."""

    line: int
    kind: str
    attribute: str = ""
    other: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows by what became of them."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    older: int = 0
    left_out: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return self.created + self.updated + self.unchanged + self.older + self.left_out

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(mine + more for mine, more in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Run:
    """One import of one file; `line` is the last that is committed."""

    id: UUID
    line: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class Start:
    """What a run is known by, and who asks. `new_id` is used if none is open, or if it shall begin `anew`."""

    new_id: UUID
    file_hash: str
    mapping_hash: str
    actor: str
    anew: bool


Asked = tuple[str, str | None, int | None, str | None]
"""Whom a row is about, by login and platform id; then the platform's own version and time of change."""


@dataclass(frozen=True, slots=True)
class Known:
    """Who answers to a row's names. `subject` None: somebody else has the login, and this row is of a new person."""

    subject: UUID | None
    body: str | None
    """What was last known of them."""
    older: bool
    """The row is older than what is known."""
    named: bool
    """They have the row's names, all of them."""


@dataclass(slots=True)
class Values:
    """Unique attributes in normal form: for each, the rows that say one, and what they say."""

    said: dict[str, tuple[list[int], list[str]]] = field(
        default_factory=dict[str, tuple[list[int], list[str]]]
    )

    def add(self, row: int, values: Iterable[tuple[str, str]]) -> None:
        """A row's values."""
        for attribute, form in values:
            if attribute not in self.said:
                self.said[attribute] = ([], [])
            rows, forms = self.said[attribute]
            rows.append(row)
            forms.append(form)

    def __iter__(self) -> Iterator[tuple[int, str, str]]:
        """Row, attribute and form, in the order of rows."""
        return iter(
            sorted(
                (row, attribute, form)
                for attribute, (rows, forms) in self.said.items()
                for row, form in zip(rows, forms, strict=True)
            )
        )


@dataclass(frozen=True, slots=True)
class Clash:
    """Somebody else has the value of `attribute` that a row says; `body` is what was last known of them."""

    row: int
    attribute: str
    subject: UUID
    body: str | None


class Connection(Pool, Protocol):
    """What is used of asyncpg's connection, which has no types of its own."""

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """All rows."""
        ...

    async def copy_to_table(
        self, table_name: str, *, source: Any, columns: Sequence[str], **options: str
    ) -> str:
        """COPY FROM STDIN."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """One transaction."""
        ...


_SLOTS = """
    SELECT current_setting('max_locks_per_transaction')::bigint
           * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)
"""
_ALONE = "SELECT pg_try_advisory_lock(hashtextextended('import:' || $1, 0))"
# Numbers travel as one text: the driver looks at every item of an array, four times over.
_LOCK = "SELECT count(pg_advisory_xact_lock(k::bigint)) FROM unnest(string_to_array($1, ' ')) AS k"
_LOCK_RENAMES = "SELECT pg_advisory_xact_lock(hashtextextended('rename:' || $1, 0))"
_LOCK_PEOPLE = """
    SELECT count(*) FROM (SELECT 1 FROM subjects WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE) AS locked
"""
# Whether anybody has any of these: one walk through an index for all, where _LOOK and _CLASHES look each up by itself.
_HAS_NAME = """
    SELECT EXISTS (SELECT 1 FROM handles WHERE tenant = $1 AND kind = $2 AND value = ANY ($3::text[]) AND until IS NULL)
"""
_HAS_VALUE = """
    SELECT EXISTS (SELECT 1 FROM known_values
                    WHERE tenant = $1 AND attribute = $2 AND value = ANY ($3::text[]) AND left_at IS NULL)
"""
# LIMIT 1 in each part makes every look-up one by key: planned as a join while a table was small, it would read all of it
# for each row once the table is large.
# The coalesce() keeps the index of live names away from a look-up by subject, for the same reason.
# Who is it? As receive() asks: by platform id if there is one, else by login, unless its holder has another id.
_LOOK = """
    SELECT r.ord - 1 AS place, p.subject, b.body,
           coalesce(r.version < i.version, false)
               OR coalesce(r.version IS NULL AND r.updated < i.updated, false) AS older,
           p.subject = l.subject AND (r.id IS NULL OR h.subject IS NOT NULL) AS named
      FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[]) WITH ORDINALITY
               AS r (login, id, version, updated, ord)
      LEFT JOIN LATERAL (SELECT subject FROM handles
                          WHERE tenant = $1 AND kind = 'id' AND value = r.id AND until IS NULL LIMIT 1) AS h ON true
      LEFT JOIN LATERAL (SELECT subject FROM handles
                          WHERE tenant = $1 AND kind = 'login' AND value = r.login AND until IS NULL LIMIT 1) AS l ON true
      LEFT JOIN LATERAL (SELECT true AS found FROM handles
                          WHERE subject = l.subject AND kind = 'id' AND coalesce(until, 'infinity') = 'infinity'
                          LIMIT 1) AS other
             ON h.subject IS NULL AND r.id IS NOT NULL
     CROSS JOIN LATERAL (
         SELECT CASE WHEN h.subject IS NOT NULL THEN h.subject WHEN other.found IS NULL THEN l.subject END AS subject
         ) AS p
      LEFT JOIN LATERAL (SELECT delivery, version, updated FROM identities WHERE subject = p.subject LIMIT 1) AS i ON true
      LEFT JOIN LATERAL (SELECT body FROM bodies WHERE delivery = i.delivery LIMIT 1) AS b ON true
     WHERE h.subject IS NOT NULL OR l.subject IS NOT NULL
     ORDER BY r.ord
"""
# One of those who have the value, the first by key; leavers have given theirs up, as in receive() for a fact.
_CLASHES = """
    SELECT u.ord - 1 AS place, o.subject, b.body
      FROM unnest($2::text[], $3::text[], $4::uuid[]) WITH ORDINALITY AS u (attribute, value, own, ord)
     CROSS JOIN LATERAL (
         SELECT k.subject FROM known_values k
          WHERE k.tenant = $1 AND k.attribute = u.attribute AND k.value = u.value AND k.left_at IS NULL
            AND k.subject IS DISTINCT FROM u.own LIMIT 1) AS o
      LEFT JOIN LATERAL (SELECT delivery FROM identities WHERE subject = o.subject LIMIT 1) AS i ON true
      LEFT JOIN LATERAL (SELECT body FROM bodies WHERE delivery = i.delivery LIMIT 1) AS b ON true
     ORDER BY u.ord
"""
_COPIED = "CREATE TEMPORARY TABLE copied_{0} ON COMMIT DELETE ROWS AS SELECT {1} FROM {0} WITH NO DATA"
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_CLOSE_OPEN = """
    UPDATE imports SET finished_at = clock_timestamp()
     WHERE tenant = $1 AND file_hash = $2 AND mapping_hash = $3 AND finished_at IS NULL
"""
_BEGIN = """
    INSERT INTO imports (id, tenant, file_hash, mapping_hash, actor, started_at)
    VALUES ($1, $2, $3, $4, $5, clock_timestamp())
    ON CONFLICT (tenant, file_hash, mapping_hash) WHERE finished_at IS NULL DO UPDATE SET actor = excluded.actor
    RETURNING id, line, created, updated, unchanged, older, left_out
"""
_PROGRESS = """
    UPDATE imports SET line = $2, created = created + $3, updated = updated + $4, unchanged = unchanged + $5,
                       older = older + $6, left_out = left_out + $7
     WHERE id = $1
"""
_NOTE = "INSERT INTO import_findings (import, line, kind, attribute, other) VALUES ($1, $2, $3, $4, $5)"
_NOTED = """
    SELECT line, kind, attribute, other FROM import_findings
     WHERE import = $1 ORDER BY line, kind, attribute LIMIT $2 OFFSET $3
"""
_KINDS = "SELECT kind, count(*) AS n FROM import_findings WHERE import = $1 GROUP BY kind ORDER BY kind"
_FINISH = "UPDATE imports SET finished_at = clock_timestamp() WHERE id = $1"
_DELIVERY = """
    INSERT INTO deliveries (id, tenant, hook, actor, verdict, rules_hash, commitment, received_at)
    VALUES ($1, $2, 'import', $3, 'import finished', $4, $5, clock_timestamp())
"""
_BODY = "INSERT INTO bodies (delivery, salt, body) VALUES ($1, $2, $3)"
_ENTRY = """
    INSERT INTO entries (at, tenant, delivery, hook, outcome, actor, code_version, rules_hash, detail, commitment)
    VALUES (clock_timestamp(), $2, $1, 'import', 'import finished', $3, $4, $5, $6::text::jsonb, $7)
"""


@dataclass(frozen=True, slots=True)
class Session:
    """One tenant's import on a connection of its own."""

    connection: Connection
    tenant: str

    async def most_locks(self) -> int:
        """How many locks a chunk may hold: a quarter of the server's table, which hooks need too."""
        return int(await self.connection.fetchval(_SLOTS)) // 4

    async def begin(self, start: Start) -> Run:
        """The open import of this file, read in this way, or a new one."""
        key = self.tenant, start.file_hash, start.mapping_hash
        async with self.connection.transaction():
            if start.anew:
                await self.connection.execute(_CLOSE_OPEN, *key)
            row = await self.connection.fetchrow(_BEGIN, start.new_id, *key, start.actor)
        if row is None:
            raise ConnectionError("the store gave no import")
        return Run(row[0], row[1], Counts(*row[2:7]))

    def chunk(self) -> AbstractAsyncContextManager[Any]:
        """The transaction of a chunk, or of its report."""
        return self.connection.transaction()

    async def lock(self, keys: Sequence[int]) -> None:
        """Takes the locks of names and values; `keys` are sorted."""
        await self.connection.fetchval(_LOCK, " ".join(map(str, keys)))

    async def lock_renames(self) -> None:
        """Taken before any person's row, because receive() wants it before the row of a person it renames."""
        await self.connection.fetchval(_LOCK_RENAMES, self.tenant)

    async def lock_people(self, subjects: Iterable[UUID]) -> None:
        """After this, nothing changes about these people but by us."""
        await self.connection.fetchval(_LOCK_PEOPLE, sorted(set(subjects)))

    async def is_new(self, rows: Sequence[Asked], values: Values) -> bool:
        """Whether nobody has any of the rows' names and values, as in an import for the first time."""
        logins, ids, *_ = zip(*rows, strict=True)
        names = (("login", logins), ("id", [i for i in ids if i is not None]))
        for kind, asked in names:
            if asked and await self.connection.fetchval(_HAS_NAME, self.tenant, kind, asked):
                return False
        for attribute, (_, forms) in values.said.items():
            if await self.connection.fetchval(_HAS_VALUE, self.tenant, attribute, forms):
                return False
        return True

    async def look(self, rows: Sequence[Asked]) -> dict[int, Known]:
        """Those rows, by place, whose names somebody has."""
        if not rows:
            return {}
        found = await self.connection.fetch(_LOOK, self.tenant, *zip(*rows, strict=True))
        return {r["place"]: Known(r["subject"], r["body"], r["older"], bool(r["named"])) for r in found}

    async def clashes(self, values: Values, own: Mapping[int, UUID | None]) -> list[Clash]:
        """Values that somebody else has, in the order of rows; `own` is whom rows are about, where that is known."""
        said = list(values)
        if not said:
            return []
        rows, attributes, forms = zip(*said, strict=True)
        subjects = [own.get(row) for row in rows]
        found = await self.connection.fetch(_CLASHES, self.tenant, attributes, forms, subjects)
        places: list[tuple[int, UUID, str | None]] = [(r["place"], r["subject"], r["body"]) for r in found]
        return [Clash(rows[p], attributes[p], subject, body) for p, subject, body in places]

    async def copy(self, people: People, places: Collection[int] | None) -> None:
        """Writes people, None for all of them, whom nobody knows yet: the caller has seen it under their locks."""
        now = await self.connection.fetchval(_NOW)
        for table, columns, data in people.copies(places, now):
            await self.connection.copy_to_table(
                f"copied_{table}", source=data, columns=columns, format="binary"
            )
            listed = ", ".join(columns)
            await self.connection.execute(
                f"INSERT INTO {table} ({listed}) SELECT {listed} FROM copied_{table}"
            )

    async def receive(self, delivery: Delivery) -> Receipt:
        """Tells of one person, whoever they are, under locks that are held already."""
        return await receive(self.connection, delivery, locked=True)

    async def progress(self, run: UUID, line: int, counts: Counts, findings: Iterable[Finding]) -> None:
        """Notes how far the chunk has come, in its own transaction."""
        c = counts
        await self.connection.execute(
            _PROGRESS, run, line, c.created, c.updated, c.unchanged, c.older, c.left_out
        )
        noted = [(run, f.line, f.kind, f.attribute, f.other) for f in findings]
        if noted:
            await self.connection.executemany(_NOTE, noted)

    async def noted(self, run: UUID, limit: int, offset: int) -> list[Finding]:
        """Findings in the order of lines."""
        return [Finding(*row) for row in await self.connection.fetch(_NOTED, run, limit, offset)]

    async def kinds(self, run: UUID) -> dict[str, int]:
        """How many findings there are of each kind."""
        return {row[0]: row[1] for row in await self.connection.fetch(_KINDS, run)}

    async def finish(self, run: UUID, ending: "Ending") -> None:
        """Closes the import, and writes one entry that says so; this commit is waited for, and so all before it."""
        salt, commitment = commit_to(ending.body)
        async with self.connection.transaction():
            await self.connection.execute("SET LOCAL synchronous_commit = on")
            await self.connection.execute(_FINISH, run)
            id_, actor, rules = ending.delivery, ending.actor, ending.rules_hash
            await self.connection.execute(_DELIVERY, id_, self.tenant, actor, rules, commitment)
            await self.connection.execute(_BODY, id_, salt, ending.body)
            common = id_, self.tenant, actor, ending.code_version, rules
            await self.connection.execute(_ENTRY, *common, ending.detail, commitment)


@dataclass(frozen=True, slots=True)
class Ending:
    """What the ledger says of a whole import. `body` and `detail` are JSON; `detail` names nobody."""

    delivery: UUID
    actor: str
    code_version: str
    rules_hash: str
    body: str
    detail: str


@asynccontextmanager
async def importing(store: Store, tenant: str) -> AsyncGenerator[Session]:
    """The tenant's session. Raises Running, OutOfReach."""
    connection = None
    try:
        connection = await connect_alone(store, "hookledger import", _PATIENCE)
        # COPY goes into no table that has policies (PostgreSQL, "COPY").
        for table, columns in COLUMNS.items():
            await connection.execute(_COPIED.format(table, ", ".join(columns)))
        if not await connection.fetchval(_ALONE, tenant):
            raise Running
        yield Session(connection, tenant)
    except StoreErrors as wrong:
        raise OutOfReach(f"the store {why(wrong)}") from None
    finally:
        if connection is not None:
            await connection.close()

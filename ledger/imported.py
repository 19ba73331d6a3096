"""The rows that an imported person leaves in the store: what receive() leaves for a fact, ready for COPY."""

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from ledger.copying import NULL, TIME, UUID_NEXT, bigint_field, bytes_field, row, text_field, whole
from ledger.receive import Fact, commit_to_bytes

HOOK = "import"
"""The hook of imports' deliveries."""
VERDICT = "imported"

COLUMNS = {
    "subjects": ("id", "tenant", "seq", "workflow_id", "created_at"),
    "handles": ("subject", "tenant", "since", "kind", "value"),
    "deliveries": (
        *("id", "subject", "tenant", "seq", "hook", "verdict", "actor", "rules_hash"),
        *("commitment", "received_at"),
    ),
    "bodies": ("delivery", "salt", "body"),
    "identities": (
        *("subject", "delivery", "tenant", "seq", "status", "version", "updated"),
        *("left_at", "archived_at"),
    ),
    "known_values": ("subject", "tenant", "left_at", "attribute", "value"),
    "entries": (
        *("subject", "delivery", "tenant", "seq", "hook", "outcome", "actor", "rules_hash", "code_version"),
        *("commitment", "at"),
    ),
}
_FIRST = bigint_field(1)
_COMMITTED = bytes_field(bytes(32))[:4]
"""Goes before the 32 bytes of a commitment."""

Rows = tuple[bytes, ...]
"""One person's, for each table in the order of `COLUMNS`, one after the other where there are several."""


class RowMaker:
    """Makes rows; what all people of an import have in common is made once."""

    def __init__(self, tenant: str, actor: str, code_version: str, rules_hash: str) -> None:
        named = text_field(tenant)
        said = b"".join(map(text_field, (HOOK, VERDICT, actor, rules_hash)))
        begin = {table: row(len(columns)) + UUID_NEXT for table, columns in COLUMNS.items()}
        self._subject, self._handle, self._delivery, self._body, self._identity, self._value, self._entry = (
            begin.values()
        )
        self._seq = named + _FIRST
        self._id = named + TIME + text_field("id")
        self._login = named + TIME + text_field("login")
        self._told = named + _FIRST + said
        self._entered = self._told + text_field(code_version)
        self._present = named + NULL
        self._left = named + TIME
        self._unknown = self._seq + NULL * 5
        self._attributes: dict[str, bytes] = {}

    def rows(
        self,
        subject: bytes,
        delivery: bytes,
        workflow_id: str,
        login: str,
        platform_id: str | None,
        fact: Fact,
        values: Sequence[tuple[str, str]],
        body: bytes,
    ) -> Rows:
        """What is written of a person whom nobody has told of before. Ids are the 16 bytes of a uuid."""
        salt, commitment = commit_to_bytes(body)
        join = b"".join
        who = join((subject, UUID_NEXT, delivery))
        told = join((_COMMITTED, commitment, TIME))
        handles = join((self._handle, subject, self._login, text_field(login)))
        if platform_id is not None:
            handles = join((handles, self._handle, subject, self._id, text_field(platform_id)))
        return (
            join((self._subject, subject, self._seq, text_field(workflow_id), TIME)),
            handles,
            join((self._delivery, delivery, UUID_NEXT, subject, self._told, told)),
            join((self._body, delivery, bytes_field(salt), bytes_field(body))),
            join((self._identity, who, self._state(fact))),
            self._values(subject, fact, values),
            join((self._entry, who, self._entered, told)),
        )

    def _state(self, fact: Fact) -> bytes:
        if fact.status is None and fact.version is None and fact.updated is None:
            return self._unknown
        return b"".join(
            (
                self._seq,
                NULL if fact.status is None else text_field(fact.status),
                NULL if fact.version is None else bigint_field(fact.version),
                NULL if fact.updated is None else text_field(fact.updated),
                TIME if fact.left else NULL,
                TIME if fact.archived else NULL,
            )
        )

    def _values(self, subject: bytes, fact: Fact, values: Sequence[tuple[str, str]]) -> bytes:
        if fact.archived:
            return b""
        begin = self._value + subject + (self._left if fact.left else self._present)
        known = self._attributes
        parts: list[bytes] = []
        for attribute, value in values:
            if attribute not in known:
                known[attribute] = text_field(attribute)
            parts += (begin, known[attribute], text_field(value))
        return b"".join(parts)


@dataclass(slots=True)
class People:
    """Rows of many, each table's in one piece, so that they travel cheaply from one process to another."""

    tables: tuple[bytes, ...]
    lengths: tuple[bytes, ...] = field(repr=False)
    """For each table an array of how long each person's part is."""

    @classmethod
    def of(cls, everybody: Sequence[Rows]) -> "People":
        """In their order, which gives them their places."""
        columns = list(zip(*everybody, strict=True)) or [()] * len(COLUMNS)
        return cls(
            tuple(b"".join(parts) for parts in columns),
            tuple(array("I", map(len, parts)).tobytes() for parts in columns),
        )

    def copies(
        self, places: Collection[int] | None, microseconds: int
    ) -> Iterator[tuple[str, tuple[str, ...], memoryview]]:
        """Table, columns and what COPY reads, for the people at those places, None for all, at that time."""
        for (table, columns), data, lengths in zip(COLUMNS.items(), self.tables, self.lengths, strict=True):
            parts: list[bytes] = [data]
            if places is not None:
                ends = list(accumulate(array("I", lengths), initial=0))
                parts = [data[ends[place] : ends[place + 1]] for place in places]
            yield table, columns, whole(parts, microseconds)

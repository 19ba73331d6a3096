"""Makes a chunk of rows ready for the store: users, normal forms, locks, and the rows to copy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import pydantic_core
import uuid_utils

from commands.importing.files import RawChunk, Row
from commands.importing.mapping import Columns
from commands.importing.users import CellReader, User, whole_user
from hooks.facts import fact_of, platform_id
from ledger.imported import People, RowMaker, Rows
from ledger.importing import Asked, Finding, Values
from ledger.receive import Fact, locks_of
from rules.normal import normal, unique_values
from runtime.workflow_id import workflow_id_of
from settings import Unique

_STATE = frozenset({"status", "version", "updated"})
_NOTHING = fact_of({})
_DATES = frozenset({"dateOfBirth", "startDate", "endDate"})


@dataclass(frozen=True, slots=True)
class Job:
    """What every row of an import has in common. `columns` is None for JSON lines, which are whole users."""

    tenant: str
    unique: tuple[Unique, ...]
    region: str
    show_login: bool
    max_depth: int
    actor: str
    code_version: str
    rules_hash: str
    file: str
    """Names file and mapping in bodies, so that a row is recognised that this file has told before."""
    columns: Columns | None


class Person(NamedTuple):
    """One row, read. A tuple, because there are many: a frozen dataclass takes ten times as long to make."""

    line: int
    user: User
    login: str
    platform_id: str | None
    fact: Fact
    values: Sequence[tuple[str, str]]

    @property
    def asked(self) -> Asked:
        """Whom the row is about."""
        return self.login, self.platform_id, self.fact.version, self.fact.updated


@dataclass(slots=True)
class Chunk:
    """Rows ready for the store, by place. `later` are places whose names or values an earlier one has."""

    people: People
    asked: list[Asked] = field(default_factory=list[Asked])
    values: Values = field(default_factory=Values)
    sources: list[int] = field(default_factory=list[int])
    """Places in the raw chunk: rows that cannot be written are missing here."""
    later: set[int] = field(default_factory=set[int])
    locks: list[int] = field(default_factory=list[int])
    findings: list[Finding] = field(default_factory=list[Finding])
    left_out: int = 0


class Preparer:
    """Reads rows of one import."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._maker = RowMaker(job.tenant, job.actor, job.code_version, job.rules_hash)
        self._cells = CellReader(job.columns or Columns(0, ()), job.max_depth)
        doubts = {"mobile": ("+", "no number"), "email": ("@", "no address")}
        self._signs = {u.attribute: doubts[u.form][0] for u in job.unique if u.form in doubts}
        """What a normal form has if it is one: without, it is only text."""
        self._kinds = {u.attribute: doubts[u.form][1] for u in job.unique if u.form in doubts}
        self._told_by = f',"import":{{"file":"{job.file}","line":'.encode()

    def chunk(self, raw: RawChunk) -> Chunk:
        """All rows, ready."""
        made = Chunk(People.of([]), findings=list(raw.findings), left_out=len(raw.findings))
        locks: set[int] = set()
        rows: list[Rows] = []
        for source, row in enumerate(raw.rows):
            person = self.person(row, made.findings)
            if person is None:
                made.left_out += 1
                continue
            needed = locks_of(self.job.tenant, person.login, person.platform_id, person.values)
            if not locks.isdisjoint(needed):
                made.later.add(len(rows))
            locks.update(needed)
            made.sources.append(source)
            made.asked.append(person.asked)
            made.values.add(len(rows), person.values)
            rows.append(self._rows(person))
        made.locks = sorted(locks)
        made.people = People.of(rows)
        return made

    def person(self, row: Row, findings: list[Finding]) -> Person | None:
        """What a row says, without its secrets; None if it cannot be written. Adds to `findings`."""
        line, said = row
        if isinstance(said, bytes):
            user = whole_user(line, said, self.job.max_depth, findings)
        else:
            user = self._cells.user(line, said, findings)
        if user is None:
            return None
        login = user.get("login")
        if not isinstance(login, str) or not (form := normal("login", login, user, self.job.region)):
            findings.append(Finding(line, "no login"))
            return None
        found = self.of_user(line, user, form)
        for attribute, value in found.values:
            if attribute in self._signs and self._signs[attribute] not in value:
                findings.append(Finding(line, self._kinds[attribute], attribute))
        if not _DATES.isdisjoint(user):
            _doubt_dates(found, findings)
        return found

    def again(self, row: Row) -> Person:
        """A row that has been read before, and can be written."""
        found = self.person(row, [])
        if found is None:
            raise ValueError("a row that could be read cannot be read any more")
        return found

    def of_user(self, line: int, user: User, login: str) -> Person:
        """A user, read; `login` in normal form."""
        values = unique_values(user, self.job.unique, self.job.region)
        fact = _NOTHING if _STATE.isdisjoint(user) else fact_of(user)
        return Person(line, user, login, platform_id(user), fact, values)

    def body(self, person: Person) -> bytes:
        """What is stored as said, with the line that said it."""
        user = pydantic_core.to_json(person.user)
        return b'{"request":{"user":%b}%b%d}}' % (user, self._told_by, person.line)

    def workflow_id(self, person: Person, short: str) -> str:
        """The id of a new person's workflow, from the last 12 digits of the subject's id."""
        return workflow_id_of(self.job.tenant, person.user["login"] if self.job.show_login else None, short)

    def _rows(self, person: Person) -> Rows:
        subject, delivery = uuid_utils.uuid7().bytes, uuid_utils.uuid7().bytes
        return self._maker.rows(
            subject,
            delivery,
            self.workflow_id(person, subject.hex()[-12:]),
            person.login,
            person.platform_id,
            person.fact,
            person.values,
            self.body(person),
        )


def _doubt_dates(person: Person, findings: list[Finding]) -> None:
    for name in sorted(_DATES):
        value = person.user.get(name)
        if value and not _is_date(value):
            finding = Finding(person.line, "no date", name)
            if finding not in findings[-len(_DATES) :]:
                findings.append(finding)


def _is_date(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return False
    return True

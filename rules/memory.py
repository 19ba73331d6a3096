"""What the store's receive() decides, in memory: for examples, which must need no store.

A stand-in for people, holds and names, and for nothing else: no repeats, no work, no entries. The tests hold it against
receive() itself on random cases.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from ledger.receive import Delivery, Receipt, Wish

_MOST_TRIES = 50
_NAMED_FOR = timedelta(minutes=10)

Value = tuple[str, str]
"""A unique attribute and a normal form."""


@dataclass(slots=True)
class _Person:
    left_at: datetime | None = None
    archived: bool = False
    version: int | None = None
    updated: str | None = None


@dataclass(slots=True)
class _Hold:
    subject: UUID
    login: str
    until: datetime


@dataclass(slots=True)
class _Name:
    value: str
    shown: str
    subject: UUID


@dataclass(slots=True)
class _Who:
    subject: UUID
    login: str
    former: UUID | None = None


@dataclass
class Memory:
    """What is known of one tenant's people."""

    ids: dict[str, UUID] = field(default_factory=dict[str, UUID])
    logins: dict[str, UUID] = field(default_factory=dict[str, UUID])
    people: dict[UUID, _Person] = field(default_factory=dict[UUID, _Person])
    known: dict[Value, dict[UUID, datetime | None]] = field(
        default_factory=dict[Value, "dict[UUID, datetime | None]"]
    )
    """Who has a value, and since when they have left."""
    holds: dict[Value, _Hold] = field(default_factory=dict[Value, _Hold])
    names: dict[Value, _Name] = field(default_factory=dict[Value, _Name])
    """By attribute and who keeps the name."""
    counts: dict[Value, int] = field(default_factory=dict[Value, int])
    removals: list[datetime] = field(default_factory=list[datetime])
    would: list[str] = field(default_factory=list[str])
    """Attributes in shadow that clashed in the last delivery."""

    def receive(self, d: Delivery, now: datetime) -> Receipt:
        """Decides and remembers one delivery."""
        verdict, codes, names = d.verdict, list(d.codes), tuple[str | None, ...]()
        self.would = []
        if d.person is None:
            return Receipt(None, None, None, verdict, codes)
        who = self._who(d)
        if d.check is not None:
            found = self._clashes(d, who, now)
            self.would = [a for a in found if a in d.shadowed]
            clashes = [a for a in found if a not in d.shadowed]
            if clashes and verdict in ("passed", "refused"):
                verdict, codes = "refused", [*codes, *clashes]
            if d.hold is not None:
                self._hold(d, who, verdict, clashes, now)
        if verdict != "refused":
            names = tuple(self._give(wish, d, who, now) for wish in d.wishes)
        if verdict == "deprovision" and d.brake is not None:
            verdict = self._braked(d.brake, d.brake_window, now)
        if d.identity is not None:
            codes = self._know(d, who, now) or codes
        return Receipt(who.subject, None, None, verdict, codes, names=names)

    def subject_of(self, platform_id: str | None, login: str) -> UUID | None:
        """Whom a delivery names: by platform id, else by login in normal form."""
        return (self.ids.get(platform_id) if platform_id else None) or self.logins.get(login)

    def _who(self, d: Delivery) -> _Who:
        person = d.person
        assert person is not None  # noqa: S101
        by_id = self.ids.get(person.platform_id) if person.platform_id else None
        by_login = self.logins.get(person.login)
        subject, former, rename = by_id, None, False
        if by_id is not None:
            rename = d.fact and by_login != by_id
        elif by_login is not None:
            subject = by_login
            has_id = person.platform_id is not None and by_login in self.ids.values()
            was = self.people.get(by_login, _Person()) if d.creates else _Person()
            if has_id or was.archived or (d.fact and was.left_at is not None):
                subject, former, rename = None, by_login, d.fact or was.archived
        subject = subject or person.new_subject
        if person.platform_id and by_id is None:
            self.ids[person.platform_id] = subject
        if rename:
            self.logins = {v: s for v, s in self.logins.items() if v != person.login and s != subject}
        if rename or (by_login is None and by_id is None):
            self.logins[person.login] = subject
        elif d.fact and by_login == subject:
            self.logins = {v: s for v, s in self.logins.items() if v == person.login or s != subject}
        return _Who(subject, person.login, former)

    def _clashes(self, d: Delivery, who: _Who, now: datetime) -> list[str]:
        return [value[0] for value in d.values if self._clash(value, d, who, now)]

    def _clash(self, value: Value, d: Delivery, who: _Who, now: datetime) -> bool:
        for subject, left_at in self.known.get(value, {}).items():
            gone = left_at is not None and d.release is not None and left_at <= now - d.release
            if (d.check == "create" or subject != who.subject) and not gone:
                return True
        return self._held_by_another(value, who, now)

    def _held_by_another(self, value: Value, who: _Who, now: datetime) -> bool:
        hold = self.holds.get(value)
        return (
            hold is not None and hold.until > now and hold.subject != who.subject and hold.login != who.login
        )

    def _hold(self, d: Delivery, who: _Who, verdict: str, clashes: list[str], now: datetime) -> None:
        if d.hold is None or not d.values:
            return
        if verdict == "refused":
            self._free(who.subject)
            return
        for value in d.values:
            if value[0] not in clashes and not self._held_by_another(value, who, now):
                self.holds[value] = _Hold(who.subject, who.login, now + d.hold)

    def _free(self, *subjects: UUID | None) -> None:
        self.holds = {value: h for value, h in self.holds.items() if h.subject not in subjects}

    def _give(self, wish: Wish, d: Delivery, who: _Who, now: datetime) -> str | None:
        keeper = (wish.attribute, wish.person or f"subject:{who.subject}")
        release = d.release or timedelta(0)
        had = self.names.get(keeper)
        name = had
        if had and not self._is_free((wish.attribute, had.value), who, had.subject, now, release):
            del self.names[keeper]
            name = None
        if name is None:
            name = self._found(wish, who, now, release)
            if name is None:
                return None
            self.names[keeper] = name
        self.holds[wish.attribute, name.value] = _Hold(who.subject, who.login, now + (d.hold or _NAMED_FOR))
        if wish.attribute == "login":
            if had and had.subject != who.subject and self.logins.get(name.value) == had.subject:
                del self.logins[name.value]
            self.logins.setdefault(name.value, who.subject)
        return name.shown

    def _found(self, wish: Wish, who: _Who, now: datetime, release: timedelta) -> _Name | None:
        last = wish.stems[-1]
        stem = (wish.attribute, f"{last.normal_before}\x1f{last.normal_after}")
        count = self.counts.get(stem, 2)
        found = None
        for place in range(_MOST_TRIES):
            if place < len(wish.stems):
                s, n = wish.stems[place], ""
            else:
                s, n = last, str(count)
                count += 1
            value = f"{s.normal_before}{n}{s.normal_after}"
            taken = any(a == wish.attribute and name.value == value for (a, _), name in self.names.items())
            if not taken and self._is_free((wish.attribute, value), who, who.subject, now, release):
                found = _Name(value, f"{s.before}{n}{s.after}", who.subject)
                break
        if count > 2:
            self.counts[stem] = count
        return found

    def _is_free(self, value: Value, who: _Who, former: UUID, now: datetime, release: timedelta) -> bool:
        for subject, left_at in self.known.get(value, {}).items():
            still = left_at is None or (subject != former and left_at > now - release)
            if subject != who.subject and still:
                return False
        if self._held_by_another(value, who, now):
            return False
        holder = self.logins.get(value[1]) if value[0] == "login" else None
        if holder is None or holder == who.subject:
            return True
        return holder == former and self.people.get(holder, _Person()).left_at is not None

    def _braked(self, most: int, window: timedelta, now: datetime) -> str:
        if sum(at > now - window for at in self.removals) >= most:
            return "braked"
        self.removals.append(now)
        return "deprovision"

    def _know(self, d: Delivery, who: _Who, now: datetime) -> list[str]:
        """Facts change what is known, never backwards. Gives the attributes that clash."""
        fact, person = d.identity, self.people.get(who.subject)
        assert fact is not None  # noqa: S101
        self._free(who.subject, who.former)
        if person is not None and _older(fact.version, fact.updated, person):
            return []
        person = self.people.setdefault(who.subject, _Person())
        person.version = person.version if fact.version is None else fact.version
        person.updated = person.updated if fact.updated is None else fact.updated
        person.left_at = (person.left_at or now) if fact.left else None
        person.archived = fact.archived
        for value, holders in self.known.items():
            if fact.archived or value not in d.values:
                holders.pop(who.subject, None)
        if not fact.archived:
            for value in d.values:
                holders = self.known.setdefault(value, {})
                holders[who.subject] = (holders.get(who.subject) or now) if fact.left else None
        return [
            value[0]
            for value in d.values
            if any(s != who.subject and left is None for s, left in self.known.get(value, {}).items())
        ]


def _older(version: int | None, updated: str | None, person: _Person) -> bool:
    if version is not None:
        return person.version is not None and version < person.version
    return updated is not None and person.updated is not None and updated < person.updated

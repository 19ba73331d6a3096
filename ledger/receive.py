"""Decides and records one delivery in one round trip (DESIGN §3.5)."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from struct import Struct
from typing import Literal
from uuid import UUID

from ledger.engine import Statements
from ledger.plan import Plan

_CALL = "SELECT * FROM receive({})".format(", ".join(f"${n}" for n in range(1, 55)))
_COMMITMENT_TAG = b"hookledger/body/v1\x00"


@dataclass(frozen=True, slots=True)
class Person:
    """Who a delivery is about. `login` is in normal form; the workflow id is used if the person is new."""

    login: str
    platform_id: str | None
    new_subject: UUID
    new_workflow: str


@dataclass(frozen=True, slots=True)
class Fact:
    """What a fact says of the person's state. `version` and `updated` are the platform's own, to order facts."""

    status: str | None
    left: bool
    archived: bool
    version: int | None
    updated: str | None


@dataclass(frozen=True, slots=True)
class Planned:
    """One piece of work that the delivery causes."""

    activity: str
    lane: str
    plan: str
    """JSON of the plan's row."""
    delay: timedelta
    waits: bool
    """Waits for the fact that confirms this intention."""


@dataclass(frozen=True, slots=True)
class Stem:
    """A wished name around its count, raw and in normal form. Without a count it is the name itself."""

    before: str
    after: str
    normal_before: str
    normal_after: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A value to be found free: tried plain in the order of `stems`, then the last one with counts from 2 on."""

    rule: str
    attribute: str
    stems: tuple[Stem, ...]
    person: str | None
    """Who keeps the name over re-hires; None: the person as known."""


@dataclass(frozen=True, slots=True)
class Note:
    """One more entry for a delivery. `detail` is JSON that names nobody."""

    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """Everything receive() needs. `values` are (attribute, normal form), sorted; `hold` holds them if they are free."""

    id: UUID
    tenant: str
    hook: str
    verdict: str
    body: str
    actor: str
    acting_for: str | None
    code_version: str
    rules_hash: str
    person: Person | None = None
    application: str | None = None
    creates: bool = False
    fact: bool = False
    identity: Fact | None = None
    check: Literal["create", "update"] | None = None
    hold: timedelta | None = None
    values: Sequence[tuple[str, str]] = ()
    release: timedelta | None = None
    brake: int | None = None
    brake_window: timedelta = timedelta(hours=1)
    confirms: list[str] | None = None
    source_id: str | None = None
    twin: bytes | None = None
    """Keyed hash of the raw body, for suspected duplicates; None where a repeat must never be suspected."""
    work: Sequence[Planned] = ()
    sealed: bytes | None = None
    sealed_for: timedelta = timedelta(0)
    codes: Sequence[str] = ()
    """What refused it already, before the store was asked."""
    shadowed: Sequence[str] = ()
    """Attributes whose clash is only noted."""
    patch: str | None = None
    """JSON of what the answer sets in the user."""
    notes: Sequence[Note] = ()
    wishes: Sequence[Wish] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the store decided. `codes` are the attributes that clash, in the tenant's order of checking."""

    subject: UUID | None
    seq: int | None
    workflow_id: str | None
    verdict: str
    codes: list[str] = field(default_factory=list[str])
    repeat_of: UUID | None = None
    suspected: bool = False
    planned: int = 0
    names: Sequence[str | None] = ()
    """What each wish got; None: nothing was free."""


def commit_to(body: str) -> tuple[bytes, bytes]:
    """A fresh 128-bit salt and the SHA-256 commitment to the body's stored bytes (DESIGN §7)."""
    return commit_to_bytes(body.encode())


def commit_to_bytes(body: bytes) -> tuple[bytes, bytes]:
    """The same for a body in UTF-8."""
    salt = os.urandom(16)
    return salt, sha256(_COMMITMENT_TAG + salt + body).digest()


def plan_text(plan: Plan) -> str:
    """The plan as `work.plan` keeps it."""
    return json.dumps(plan.to_row(), separators=(",", ":"))


_signed = Struct(">q").unpack


def _lock(*parts: str) -> int:
    """As lock_key() in the store computes it."""
    return _signed(sha256("\x1f".join(parts).encode()).digest()[:8])[0]


def locks(d: Delivery) -> list[int]:
    """The keys to lock, sorted: one order for everybody, so no deadlock."""
    if d.person is not None:
        keys = locks_of(d.tenant, d.person.login, d.person.platform_id, d.values)
    else:
        keys = [_lock("value", d.tenant, *pair) for pair in d.values]
    if d.source_id is not None:
        keys.append(_lock("source", d.tenant, d.source_id))
    if d.brake is not None:
        keys.append(_lock("brake", d.tenant))
    keys += [_lock("naming", d.tenant, wish.attribute) for wish in d.wishes]
    keys.sort()
    return keys


def locks_of(
    tenant: str, login: str, platform_id: str | None, values: Sequence[tuple[str, str]]
) -> list[int]:
    """What receive() locks for a delivery about that person with those values, in no order."""
    # As _lock() does it, written out: an import does this some million times.
    names = [f"value\x1f{tenant}\x1f{attribute}\x1f{value}" for attribute, value in values]
    names.append(f"login\x1f{tenant}\x1f{login}")
    if platform_id is not None:
        names.append(f"id\x1f{tenant}\x1f{platform_id}")
    return [_signed(sha256(name.encode()).digest()[:8])[0] for name in names]


async def receive(pool: Statements, d: Delivery, *, locked: bool = False) -> Receipt:
    """One call of the store's receive(). Raises one of ledger.engine.StoreErrors if the store does not answer.

    `locked`: the caller's transaction holds the locks already, with those of others: taking one more now, out of
    order, could wait for a hook that waits for the caller.
    """
    salt, commitment = commit_to(d.body)
    person, fact = d.person, d.identity
    stems = [(place, stem) for place, wish in enumerate(d.wishes, 1) for stem in wish.stems]
    row = await pool.fetchrow(
        _CALL,
        d.tenant,
        d.id,
        d.hook,
        [] if locked else locks(d),
        person and person.platform_id,
        person and person.login,
        person and person.new_subject,
        person and person.new_workflow,
        d.creates,
        d.fact,
        fact is not None,
        d.application,
        d.actor,
        d.acting_for,
        d.source_id,
        d.twin,
        d.verdict,
        d.check,
        d.hold,
        [attribute for attribute, _ in d.values] or None,
        [value for _, value in d.values] or None,
        d.release,
        d.brake,
        d.brake_window,
        fact and fact.status,
        fact.left if fact else False,
        fact.archived if fact else False,
        fact and fact.version,
        fact and fact.updated,
        d.confirms,
        [w.activity for w in d.work] or None,
        [w.lane for w in d.work] or None,
        [w.plan for w in d.work] or None,
        [w.delay for w in d.work] or None,
        [w.waits for w in d.work] or None,
        salt,
        d.body,
        commitment,
        d.sealed,
        d.sealed_for,
        d.code_version,
        d.rules_hash,
        d.codes or None,
        d.shadowed or None,
        d.patch,
        [note.outcome for note in d.notes] or None,
        [note.detail for note in d.notes] or None,
        [wish.attribute for wish in d.wishes] or None,
        [wish.person for wish in d.wishes] or None,
        [place for place, _ in stems] or None,
        [stem.before for _, stem in stems] or None,
        [stem.after for _, stem in stems] or None,
        [stem.normal_before for _, stem in stems] or None,
        [stem.normal_after for _, stem in stems] or None,
    )
    if row is None:
        raise ConnectionError("receive() gave no row")
    return Receipt(
        subject=row[0],
        seq=row[1],
        workflow_id=row[2],
        verdict=row[3],
        codes=row[4],
        repeat_of=row[5],
        suspected=row[6],
        planned=row[7],
        names=row[8] or (),
    )

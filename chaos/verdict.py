"""Holds what the platform was answered against what the ledger says, after the dust has settled."""

import asyncio
import json
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from chaos.faults import DISK_FULL, Happened
from chaos.stack import ChaosError, Stack
from chaos.traffic import Traffic
from dev.simulate.record import hash_without_password
from dev.simulate.stories import EVENTS
from ledger.engine import connect_to_read
from rules.normal import login as normal_login
from settings import Store

LATE = 2000.0
"""Milliseconds: DESIGN §3, the deadline for the whole."""
_IN_FLIGHT = 12.0
"""Seconds before the simulator was ended in which a hook may have been stored whose line it could not write any more."""
_PATIENCE = 10.0
"""Seconds after which the simulator gives up on an answer."""
_MEMORY = 5.0
"""Seconds after a fault in which what it broke may still come to light: a lease that runs out, a retry."""
_SETTLES_WITHIN = 5.0
"""Seconds between an effect elsewhere and its settlement, at most, on a busy machine."""

_NOT_WHOLE = frozenset({"policymap"})
"""Hooks of which the ledger keeps the inputs only (DESIGN §6): they are counted, not compared."""

Key = tuple[str, str, str]
"""Who, which hook, and the SHA-256 of what was sent without its password."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One delivery as the ledger has it."""

    login: str
    seq: int
    hook: str
    digest: str
    at: float = 0.0
    """When it was recorded, in seconds since the epoch."""

    @property
    def key(self) -> Key:
        return self.login, self.hook, self.digest


@dataclass(frozen=True, slots=True)
class Verdict:
    """The figures. Each of the first group but `sent` and `answered` must be 0."""

    sent: int
    answered: int
    lost: int
    invented: int
    effects_missing: int
    effects_doubled: int
    order_breaks: int
    unbalanced: int
    effects_repeated: int
    """Calls to the other system that came again because something died between the call and its settlement."""
    faults: int
    kills: int
    late_answers: int
    unanswered: int
    unexcused: int
    """Of the unanswered, those sent while neither an api nor Postgres was broken."""
    contract_breaks: int
    """Answers that were not what the platform may expect, or runs of the simulator that found such a thing."""
    retired: int
    """Pieces of work that ended because a deploy had removed their activity."""

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or disordered, and no hook answered late, wrongly, or needlessly not."""
        bad = (self.lost, self.invented, self.effects_missing, self.effects_doubled, self.order_breaks)
        ill = (self.late_answers, self.unexcused, self.contract_breaks)
        return not any((*bad, self.unbalanced, *ill))


_DELIVERIES = """
SELECT h.value AS login, d.seq, d.hook, b.body, d.received_at FROM deliveries d JOIN bodies b ON b.delivery = d.id
  JOIN LATERAL (SELECT value FROM handles WHERE kind = 'login' AND subject = d.subject ORDER BY since LIMIT 1) h ON true
 ORDER BY d.subject, d.seq
"""
_LANES = """
SELECT s.seq, s.before, s.activity, s.outcome, s.at FROM (
    SELECT e.seq, e.activity, e.outcome, e.at, lag(e.seq) OVER (PARTITION BY e.subject, w.lane ORDER BY e.id) AS before
      FROM entries e JOIN work w ON w.delivery = e.delivery AND w.activity = e.activity
     WHERE e.activity LIKE 'chaos%' AND e.outcome <> 'retired') s
 WHERE s.seq < s.before
"""
_UNBALANCED = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM entries WHERE activity IS NOT NULL
                               GROUP BY delivery, activity HAVING count(*) > 1) twice)
     + (SELECT count(*) FROM work w WHERE w.outcome IS DISTINCT FROM 'duplicate' AND (w.settled_at IS NULL OR NOT EXISTS (
            SELECT 1 FROM entries e WHERE e.delivery = w.delivery AND e.activity = w.activity)))
     + (SELECT count(*) FROM subjects s
         WHERE s.seq <> (SELECT count(*) FROM deliveries d WHERE d.subject = s.id))
"""
_PLANNED = """
SELECT w.delivery::text || ':' || w.activity AS key, w.activity FROM work w
 WHERE w.activity = ANY ($1) AND w.outcome NOT IN ('duplicate', 'retired', 'unconfirmed')
"""
_UNPLANNED = """
SELECT count(*) FROM deliveries d, (VALUES ('postCreateUser', 'chaos_badge'), ('postUpdateUser', 'chaos_ticket'),
                                           ('postProvision', 'chaos_ticket'), ('changePassword', 'chaos_password')) AS due (hook, activity)
 WHERE d.hook = due.hook
   AND NOT EXISTS (SELECT 1 FROM work w WHERE w.delivery = d.id AND w.activity = due.activity)
"""
_RETIRED = "SELECT count(*) FROM work WHERE outcome = 'retired'"
_OPEN = "SELECT count(*) FROM work WHERE settled_at IS NULL"
_IN_STORE = ("chaos_badge", "chaos_later", "chaos_password")
_ELSEWHERE = ("chaos_ticket",)


async def judge(
    stack: Stack,
    traffic: Traffic,
    faults: Sequence[Happened],
    ended: float,
    say: Callable[[str], None],
) -> Verdict:
    """Waits until no work is open, then compares. `ended`: when the simulator was. Raises ChaosError if nothing settles.

    `say` hears of each break of order, and of each hook that was answered late, against the contract, or not at all
    without an excuse: when it was, and what was broken then.
    """
    # Straight to Postgres as its superuser: what is read must not depend on what is judged.
    store = Store(url=stack.postgres.url("postgres", stack.database.name))
    ledger = await connect_to_read(store, "chaos")
    try:
        await _until_settled(ledger, stack)
        return await _compare(ledger, stack, traffic, faults, ended, say)
    finally:
        await ledger.close()


async def _until_settled(ledger: Any, stack: Stack, patience: float = 240.0) -> None:
    """Raises ChaosError when nothing has settled for so many seconds: how long all of it takes is the machine's matter."""
    before, until = None, time.monotonic() + patience
    while True:
        stack.check()
        spooled = sum(size.stat().st_size for size in (stack.home / "spool").rglob("*.spool"))
        left = (await ledger.fetchval(_OPEN), spooled)
        if left == (0, 0):
            return
        if left != before:
            before, until = left, time.monotonic() + patience
        if time.monotonic() > until:
            raise ChaosError(
                f"{left[0]} pieces of work and {spooled} bytes in the spool are still open, and nothing has settled"
                f" for {patience:.0f} s"
            )
        await asyncio.sleep(0.5)


async def _compare(
    ledger: Any,
    stack: Stack,
    traffic: Traffic,
    faults: Sequence[Happened],
    ended: float,
    say: Callable[[str], None],
) -> Verdict:
    lines = list(traffic.lines())
    told = [line for line in lines if line["user"] is not None and line["body_sha256"] is not None]
    stored = [_stored(row) for row in await ledger.fetch(_DELIVERIES)]
    sent, answered = Counter(map(_key, told)), Counter(_key(line) for line in told if _is_answered(line))
    known = Counter(delivery.key for delivery in stored)
    in_store, elsewhere = await _effects(ledger, stack, faults, say)
    disordered = out_of_order([line for line in told if not without_disk(line, faults)], stored)
    for line in disordered:
        say(f"recorded out of order: {line['hook']}, {during(_at(line), faults)}")
    lanes = await ledger.fetch(_LANES)
    for row in lanes:
        when = during(row["at"].timestamp(), faults)
        say(f"{row['activity']} ended ({row['outcome']}) for {row['seq']} after {row['before']}, {when}")
    wrong: Counter[str] = Counter()
    for line in lines:
        for what in ill(line, faults):
            wrong[what] += 1
            say(f"{what}: {line['hook']}, {_answer(line)}, {during(_at(line), faults)}")
    if traffic.broken:
        say(f"{traffic.broken} runs of the simulator found the contract broken; see its log (--keep)")
    return Verdict(
        sent=len(lines),
        answered=sum(_is_answered(line) for line in lines),
        lost=(answered - known).total(),
        invented=invented(stored, sent, until=ended - _IN_FLIGHT),
        effects_missing=in_store[0] + elsewhere[0] + int(await ledger.fetchval(_UNPLANNED)),
        effects_doubled=in_store[1] + elsewhere[1],
        order_breaks=len(disordered) + len(lanes),
        unbalanced=int(await ledger.fetchval(_UNBALANCED)),
        effects_repeated=elsewhere[2],
        faults=len(faults),
        kills=sum(fault.kills for fault in faults),
        late_answers=wrong["late"],
        unanswered=sum(not _is_answered(line) for line in lines),
        unexcused=wrong["not answered"],
        contract_breaks=max(wrong["against the contract"], traffic.broken),
        retired=int(await ledger.fetchval(_RETIRED)),
    )


def invented(stored: Iterable[Stored], sent: Counter[Key], until: float) -> int:
    """Deliveries recorded until then of which nobody sent so many."""
    return (Counter(delivery.key for delivery in stored if delivery.at <= until) - sent).total()


def ill(line: Mapping[str, Any], faults: Iterable[Happened]) -> Iterator[str]:
    """What was wrong with how a hook was answered."""
    if (line["milliseconds"] or 0) > LATE:
        yield "late"
    if line["kept"] is False:
        yield "against the contract"
    if unexcused(line, faults):
        yield "not answered"


def unexcused(line: Mapping[str, Any], faults: Iterable[Happened]) -> bool:
    """Whether a hook went unanswered though nothing was broken, nor had just been, but Temporal or a worker."""
    asked = _at(line)
    until = asked + (_PATIENCE if line["milliseconds"] is None else line["milliseconds"] / 1000)
    felt = any(fault.felt and fault.begun <= until and asked <= fault.over + _MEMORY for fault in faults)
    return not _is_answered(line) and not felt


def _is_answered(line: Mapping[str, Any]) -> bool:
    return line["status"] is not None and 200 <= line["status"] < 300


def _answer(line: Mapping[str, Any]) -> str:
    if line["status"] is None:
        return "no answer"
    return f"{line['status']} after {line['milliseconds']:.0f} ms"


def _key(line: Mapping[str, Any]) -> Key:
    hook = line["hook"].lower()
    return normal_login(line["user"]), hook, "" if hook in _NOT_WHOLE else line["body_sha256"]


def _stored(row: Mapping[str, Any]) -> Stored:
    hook = row["hook"].lower()
    whole = "" if hook in _NOT_WHOLE else hash_without_password(json.loads(row["body"])["request"])
    return Stored(row["login"], row["seq"], hook, whole, row["received_at"].timestamp())


def out_of_order(told: Iterable[Mapping[str, Any]], stored: Iterable[Stored]) -> list[Mapping[str, Any]]:
    """Answered hooks of a person that the ledger has in another order than the one in which they were answered.

    Each answered hook takes the first place of its like behind the one before it; where there is none, order broke.
    A hook that was not answered may stand anywhere or nowhere.
    """
    places: dict[Key, list[int]] = defaultdict(list)
    for delivery in stored:
        places[delivery.key].append(delivery.seq)
    at: Counter[str] = Counter()
    breaks: list[Mapping[str, Any]] = []
    for line in told:
        if not _is_answered(line):
            continue
        key = _key(line)
        behind = bisect_right(places[key], at[key[0]])
        if behind < len(places[key]):
            at[key[0]] = places[key][behind]
        elif places[key]:
            breaks.append(line)
    return breaks


def without_disk(line: Mapping[str, Any], faults: Iterable[Happened]) -> bool:
    """Whether a decision was answered with neither store nor disk: it is recorded later, from memory, in no order."""
    asked = _at(line)
    told = asked + (line["milliseconds"] or 0) / 1000
    full = any(fault.name == DISK_FULL and fault.begun <= told and asked <= fault.over for fault in faults)
    return full and line["hook"] not in EVENTS


def during(at: float, faults: Iterable[Happened]) -> str:
    """That moment in UTC, and the faults that it was in, or the one that was over last."""
    when = f"{datetime.fromtimestamp(at, UTC):%H:%M:%S.%f} UTC"
    if within := [fault.name for fault in faults if fault.begun <= at <= fault.over]:
        return f"{when}, in {' and '.join(within)}"
    last = max((fault for fault in faults if fault.over < at), key=lambda fault: fault.over, default=None)
    return f"{when}, {f'{at - last.over:.1f} s after {last.name}' if last else 'before anything broke'}"


def _at(line: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(line["at"]).timestamp()


def parted(called: float, faults: Iterable[Happened]) -> bool:
    """Whether something ended that could come between an effect elsewhere, at that moment, and its settlement."""
    return any(
        fault.parts and fault.begun <= called + _SETTLES_WITHIN and called <= fault.over for fault in faults
    )


async def _effects(
    ledger: Any, stack: Stack, faults: Sequence[Happened], say: Callable[[str], None]
) -> tuple[tuple[int, int], tuple[int, int, int]]:
    """Missing and doubled in the store; missing, doubled and excusably repeated elsewhere."""
    done = Counter(row["key"] for row in await ledger.fetch("SELECT key FROM chaos_effects"))
    planned = {row["key"] for row in await ledger.fetch(_PLANNED, list(_IN_STORE))}
    outside = {row["key"] for row in await ledger.fetch(_PLANNED, list(_ELSEWHERE))}
    calls = stack.wires.desk.calls
    repeated = [first for times in calls.values() for first, _ in pairwise(times)]
    doubled = [first for first in repeated if not parted(first, faults)]
    for first in doubled:
        say(
            f"called again though nothing ended that could keep it from being settled: {during(first, faults)}"
        )
    in_store = len(planned - done.keys()), sum(n - 1 for n in done.values())
    return in_store, (len(outside - calls.keys()), len(doubled), len(repeated) - len(doubled))

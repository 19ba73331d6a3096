"""Records answers that were given without the store, in their order, with what the check says of them now."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta

import asyncpg
from uuid_utils.compat import uuid7

from api import body as bodies
from api.heard import Heard
from api.receive import Receiver
from api.unrecorded import Late, NotKept, now
from hooks import by_name
from hooks.hook import Question
from hooks.secrets import TooDeep
from ledger.degraded import (
    ANSWERED_UNCHECKED,
    COUNTED,
    NOT_KEPT,
    PASSED_UNCHECKED,
    TURNED_AWAY,
    UNDECIDED,
    WOULD_BE_SAME,
    WOULD_DIFFER,
    WOULD_LEAVE,
    WOULD_PASS,
    WOULD_REFUSE,
    WOULD_REMOVE,
)
from ledger.engine import Pool, StoreErrors
from ledger.late import Since, confirmed, record_late
from ledger.receive import Delivery, Note, receive
from rules.opinion import Opinion

log = logging.getLogger(__name__)

WITHIN = 10.0
"""Seconds for one record."""
_AT_ONCE = 200
"""Recorded between two looks at other things."""
_LEAST_HOLD = timedelta(minutes=1)
"""Two people let through with one value must find each other, however long the store was away."""
NEVER = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    TooDeep,
)
"""What no second try would mend."""
_FACTS = tuple(hook.name for hook in by_name().values() if hook.fact)


class Recorder:
    """One per process. One record at a time, on one connection: hooks that come now are answered as ever."""

    def __init__(self, receiver: Receiver, pool: Pool) -> None:
        self._receiver = receiver
        self._waiting = receiver.unrecorded
        self._pool = pool

    async def record_all(self) -> None:
        """Everything that waits. Raises one of StoreErrors; the rest waits on."""
        while self._waiting.first() or self._waiting.not_kept():
            await self.record_some()

    async def record_some(self) -> None:
        """The oldest that wait. Raises one of StoreErrors; what is not recorded waits on."""
        self._waiting.name_new()
        for _ in range(_AT_ONCE):
            if (late := self._waiting.first()) is None:
                break
            try:
                async with asyncio.timeout(WITHIN):
                    await self.record(late)
            except NEVER as wrong:
                log.error("degraded: %s cannot be stored (%s)", late.heard.receipt, type(wrong).__name__)
            except StoreErrors:
                raise
            except Exception as wrong:  # a fault of ours must not hold up what waits behind
                log.error("degraded: fault at %s: %s", late.heard.receipt, type(wrong).__name__)
            self._waiting.done()
        else:
            return
        for told in self._waiting.not_kept():
            await receive(self._pool, self._of_nobody(told))
            self._waiting.forget(told)

    async def record(self, late: Late, rules_hash: str | None = None) -> None:
        """One answer. `rules_hash`: of the rules by which it was given, if they may have changed since."""
        heard = _whole(late)
        plain = self._receiver.opinion(heard, None, late.said)
        question = Question(heard.request, heard.user, heard.tenant, heard.policy, plain)
        before = None
        if heard.hook.name in heard.policy.knowing:
            before = await self._receiver.last_known(heard, self._pool)
        informed = self._receiver.opinion(heard, before, late.said)
        delivery = replace(
            self._receiver.deliveries.of(heard, question, late.verdict),
            codes=late.codes,
            rules_hash=rules_hash or heard.policy.hash,
            brake=None,
            twin=None,
            sealed=None,
            wishes=(),
            hold=None,
        )

        def judge(since: Since) -> Delivery:
            note = _judged(late, question, informed, since)
            judged = replace(
                delivery, hold=_hold(late, heard, since), notes=[*delivery.notes, note], shadowed=()
            )
            return confirmed(judged) if since.confirmed else judged

        confirming = [h.name for h in by_name().values() if heard.hook.name in h.confirms]
        got = await record_late(
            self._pool,
            delivery,
            answered_at=late.at,
            facts=_FACTS,
            confirming=confirming,
            judge=judge,
        )
        if got is not None and got.planned:
            self._receiver.ring(delivery, got)

    def _of_nobody(self, told: NotKept) -> Delivery:
        """What there was no room for is in the ledger by its count alone."""
        detail = bodies.write(
            {"answered": told.last.isoformat(), "since": told.first.isoformat(), "counts": told.counts}
        )
        return Delivery(
            id=uuid7(),
            tenant=told.tenant,
            hook="degraded",
            verdict=NOT_KEPT,
            body=bodies.write({"request": {}}),
            actor="hookledger",
            acting_for=None,
            code_version=self._receiver.version,
            rules_hash=self._receiver.policies[told.tenant].hash,
            notes=[Note(COUNTED, detail)],
        )


def _whole(late: Late) -> Heard:
    whole = bodies.parse(late.kept)
    request = whole["request"]
    return replace(late.heard, request=request, user=request.get("user") or {}, raw=late.kept)


def _hold(late: Late, heard: Heard, since: Since) -> timedelta | None:
    """A value is theirs for as long as if it had been held at once, unless the person is a fact by now."""
    if not heard.hook.holds or late.verdict not in (PASSED_UNCHECKED, ANSWERED_UNCHECKED) or since.told:
        return None
    over = late.at + timedelta(seconds=heard.tenant.hold_seconds)
    return max(over - now(), _LEAST_HOLD)


def _judged(late: Late, question: Question, informed: Opinion, since: Since) -> Note:
    """What the answer would have been with the store: names of attributes and rules, never values."""
    detail: dict[str, object] = {"answered": late.at.isoformat()}
    plain = question.opinion
    match late.verdict:
        case _ if late.verdict in (PASSED_UNCHECKED, TURNED_AWAY, "refused"):
            clashes = [c for c in since.clashes if c not in question.policy.shadowed]
            rules = [f"rule:{informed.refusal.rule}"] if informed.refusal else []
            detail |= {"attributes": [*rules, *clashes]} if rules or clashes else {}
            rules_in_python = question.policy.python.get(late.heard.hook.name, ())
            unasked = [rule.name for rule in rules_in_python] if late.said is None else []
            detail |= {"rules not asked": unasked} if unasked else {}
            outcome = WOULD_REFUSE if rules or clashes else WOULD_PASS
        case _ if late.verdict == UNDECIDED:
            removes = late.heard.hook.decide(replace(question, opinion=informed)).verdict == "deprovision"
            outcome = WOULD_REMOVE if removes else WOULD_LEAVE
        case _:
            named = [wish.attribute for wish in informed.wishes]
            changed = [p for p, v in informed.changed.items() if plain.changed.get(p, _NOTHING) != v]
            detail |= {"attributes": sorted({*named, *changed})} if named or changed else {}
            same = not named and not changed and informed.mapped == plain.mapped
            outcome = WOULD_BE_SAME if same else WOULD_DIFFER
    return Note(outcome, bodies.write(detail))


_NOTHING = object()

"""One hook decided as the api would, with nothing stored: what `try` and `rules test` share."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from uuid_utils.compat import uuid7

from api.problems import Problem
from api.shape import request_of
from hooks.facts import fact_of, platform_id
from hooks.hook import Decision, Hook, Json, Question, Ruling
from hooks.judging import login_of, values_of
from ledger.receive import Delivery, Person, Receipt
from rules.expressions import Asked
from rules.opinion import NO_ANSWER
from rules.policy import Policy
from settings import Tenant


class Unfit(ValueError):
    """The body is not what the hook sends; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Call:
    """One hook as it would come. `now` None: at this moment."""

    hook: Hook
    tenant: Tenant
    policy: Policy
    request: Json
    before: Json | None = None
    now: datetime | None = None

    @property
    def user(self) -> Json:
        """The user in the request."""
        return self.request.get("user") or {}

    @property
    def asked(self) -> Asked:
        """The call as rules see it."""
        return Asked(self.hook.name, self.policy.tenant, self.request, self.user, self.before, self.now)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the rules said, and what would be asked of the store."""

    call: Call
    question: Question
    decision: Decision
    delivery: Delivery

    def answer(self, receipt: Receipt) -> Json:
        """The answer under `response`, once the store has spoken."""
        ruling = Ruling(receipt.verdict, tuple(receipt.codes), tuple(receipt.names))
        return self.call.hook.answer(self.question, self.decision, ruling)

    def code(self, receipt: Receipt) -> str | None:
        """The refusal code, if it is a refusal."""
        if receipt.verdict != "refused":
            return None
        return self.question.policy.first_of(tuple(receipt.codes)) or NO_ANSWER

    def without_store(self) -> Receipt:
        """What the rules alone would have the store say."""
        return Receipt(None, None, None, self.delivery.verdict, list(self.delivery.codes))


def request_in(hook: Hook, body: Json) -> Json:
    """The request of a body, which may be the request itself, or only its user. Raises Unfit."""
    whole = body if isinstance(body.get("request"), dict) else {"request": body}
    inner: Json = whole["request"]
    if hook.about_user and "user" not in inner and "login" in inner:
        whole = {"request": {"user": inner}}
    try:
        return request_of(hook, whole)
    except Problem as wrong:
        raise Unfit(wrong.detail) from None


def rehearse(call: Call, key: bytes, said: Mapping[str, Any] | None = None) -> Rehearsal:
    """Asks the rules, as the api does. `said` is what decisions in Python gave; `key` as for hooks.judging.login_of."""
    hook, tenant, policy = call.hook, call.tenant, call.policy
    opinion = policy.opinion(call.asked, said)
    question = Question(call.request, call.user, tenant, policy, opinion)
    decision = hook.decide(question)
    verdict = decision.verdict
    brake = tenant.deprovision if hook.braked and verdict == "deprovision" else None
    delivery = Delivery(
        id=uuid7(),
        tenant=policy.tenant,
        hook=hook.name,
        verdict=verdict,
        body="{}",
        actor="rehearsal",
        acting_for=None,
        code_version="",
        rules_hash=policy.hash,
        person=_person(question, key) if hook.about_user else None,
        creates=hook.creates,
        fact=hook.fact,
        identity=fact_of(call.user) if hook.whole_user else None,
        check=hook.check,
        hold=timedelta(seconds=tenant.hold_seconds) if hook.holds else None,
        values=values_of(hook, question),
        release=timedelta(days=tenant.leavers_release_days),
        brake=brake.brake if brake else None,
        brake_window=timedelta(seconds=brake.brake_window) if brake else timedelta(0),
        codes=[f"rule:{opinion.refusal.rule}"] if opinion.refusal and verdict == "refused" else (),
        shadowed=sorted(policy.shadowed) if hook.check else (),
        wishes=opinion.wishes,
    )
    return Rehearsal(call, question, decision, delivery)


def _person(question: Question, key: bytes) -> Person:
    subject = uuid7()
    return Person(login_of(question, key), platform_id(question.user), subject, f"rehearsal:{subject}")

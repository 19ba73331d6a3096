"""Decisions and answers that the hooks about users share."""

from hooks.hook import Decision, Json, Question, Ruling
from ledger.degraded import ANSWERED_UNCHECKED, PASSED_UNCHECKED, TURNED_AWAY
from rules.changing import with_value
from rules.opinion import NO_ANSWER


def passed_or_refused(question: Question) -> Decision:
    """Refused if a rule refuses; the store may refuse yet. A check that failed counts as the tenant chose."""
    if question.opinion.refusal:
        return Decision("refused")
    if question.opinion.undecided and not question.opens:
        return Decision(TURNED_AWAY)
    return Decision("passed")


def without_the_store(question: Question) -> Decision:
    """What a validate hook decides when the store cannot: what a rule refuses needs none; the rest as the tenant chose."""
    if question.opinion.refusal:
        return Decision("refused")
    return Decision(PASSED_UNCHECKED if question.opens else TURNED_AWAY)


def answered(_: Question) -> Decision:
    """A pre hook never refuses (CONTRACT A)."""
    return Decision("answered")


def answered_unchecked(_: Question) -> Decision:
    """A pre hook gives the user without the names that only the store can find."""
    return Decision(ANSWERED_UNCHECKED)


def user_of(question: Question, ruling: Ruling) -> Json:
    """The user as sent, or as the rules changed it, with the names that the store found free."""
    user = question.opinion.user
    for wish, name in zip(question.opinion.wishes, ruling.names, strict=False):
        if name is not None:
            user = with_value(user, wish.attribute, name)
    return user


def whole_user(question: Question, _decision: Decision, ruling: Ruling) -> Json:
    """The user, as a pre hook's answer."""
    return {"data": user_of(question, ruling)}


def verdict_on_user(question: Question, _decision: Decision, ruling: Ruling) -> Json:
    """The user, in the tenant's shape; or the refusal code of what refused it, rules before clashing attributes."""
    if ruling.verdict == "refused":
        return refusal(question.policy.first_of(ruling.codes))
    if ruling.verdict == TURNED_AWAY:
        return refusal(NO_ANSWER)
    user = user_of(question, ruling)
    match question.tenant.answer_shape:
        case "data+error":
            return {"error": False, "data": user}
        case "echo":
            return {"user": user}
        case _:
            return {"data": user}


def refusal(code: str) -> Json:
    """A refusal as the platform's page shows it."""
    return {"error": True, "message": code}

"""Decisions and answers that the hooks about users share."""

from hooks.hook import Decision, Json, Question, Ruling
from rules.changing import with_value
from rules.opinion import NO_ANSWER


def passed_or_refused(question: Question) -> Decision:
    """Refused if a rule refuses; the store may refuse yet."""
    return Decision("refused" if question.opinion.refusal else "passed")


def answered(_: Question) -> Decision:
    """A pre hook never refuses (CONTRACT A)."""
    return Decision("answered")


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


def user_unnamed(question: Question) -> Json:
    """The user without the names that only the store can find."""
    return {"data": question.opinion.user}


def validation_unavailable(question: Question) -> Json:
    """Closed: nobody is let through unchecked. What a rule refuses needs no store."""
    refused = question.opinion.refusal
    return refusal(refused.code or NO_ANSWER if refused else NO_ANSWER)

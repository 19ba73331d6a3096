"""Answers that the hooks about users share."""

from hooks.hook import Decision, Json, Question, Ruling

UNAVAILABLE = "ValidationUnavailable"
"""The refusal code when the store cannot be asked (DESIGN §6)."""


def same_user(question: Question, _decision: Decision, _ruling: Ruling) -> Json:
    """The user as sent."""
    return {"data": question.user}


def verdict_on_user(question: Question, _decision: Decision, ruling: Ruling) -> Json:
    """The user as sent, in the tenant's shape; or the refusal code of the first clashing attribute."""
    if ruling.verdict == "refused":
        return refusal(code_for(question, ruling.codes))
    match question.tenant.answer_shape:
        case "data+error":
            return {"error": False, "data": question.user}
        case "echo":
            return {"user": question.user}
        case _:
            return {"data": question.user}


def refusal(code: str) -> Json:
    """A refusal as the platform's page shows it."""
    return {"error": True, "message": code}


def code_for(question: Question, clashes: tuple[str, ...]) -> str:
    """The code of the first configured attribute among those that clash."""
    for unique in question.tenant.unique:
        if unique.attribute in clashes:
            return unique.code
    return "AlreadyExist"


def user_unchanged(question: Question) -> Json:
    """A pre hook never refuses (CONTRACT A): the user as sent."""
    return {"data": question.user}


def validation_unavailable(_: Question) -> Json:
    """Closed: nobody is let through unchecked."""
    return refusal(UNAVAILABLE)

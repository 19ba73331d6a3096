"""Asks, before a user is updated, whether the tenant agrees; a person never clashes with themselves."""

from hooks.hook import SAMPLE_USER, Decision, Hook, Kind, Question
from hooks.user import validation_unavailable, verdict_on_user


def _decide(_: Question) -> Decision:
    return Decision("passed")


HOOK = Hook(
    name="validateUpdateUser",
    purpose="Validates a user before an update: returns the user, or a refusal code.",
    kind=Kind.DECISION,
    check="update",
    holds=True,
    repeats_are_suspect=False,
    decide=_decide,
    answer=verdict_on_user,
    unavailable=validation_unavailable,
    sample={"user": SAMPLE_USER},
)

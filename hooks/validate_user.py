"""Asks, before a user is created, whether the tenant agrees; holds the unique values if it does."""

from hooks.hook import SAMPLE_USER, Decision, Hook, Kind, Question
from hooks.user import validation_unavailable, verdict_on_user


def _decide(_: Question) -> Decision:
    return Decision("passed")


HOOK = Hook(
    name="validateUser",
    purpose="Validates a user before creation: returns the user, or a refusal code.",
    kind=Kind.DECISION,
    creates=True,
    check="create",
    holds=True,
    repeats_are_suspect=False,
    decide=_decide,
    answer=verdict_on_user,
    unavailable=validation_unavailable,
    sample={"user": SAMPLE_USER},
)

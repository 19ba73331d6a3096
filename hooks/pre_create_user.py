"""Comes before a user is created; may change the user, never refuses; keeps the validate's holds alive."""

from hooks.hook import SAMPLE_USER, Decision, Hook, Kind, Question
from hooks.user import same_user, user_unchanged


def _decide(_: Question) -> Decision:
    return Decision("answered")


HOOK = Hook(
    name="preCreateUser",
    purpose="Comes before a user is created: returns the user.",
    kind=Kind.DECISION,
    creates=True,
    check="create",
    holds=True,
    decide=_decide,
    answer=same_user,
    unavailable=user_unchanged,
    sample={"user": SAMPLE_USER},
)

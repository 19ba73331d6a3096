"""Comes before a user is updated; may change the user, never refuses."""

from hooks.hook import SAMPLE_USER, Decision, Hook, Kind, Question
from hooks.user import same_user, user_unchanged


def _decide(_: Question) -> Decision:
    return Decision("answered")


HOOK = Hook(
    name="preUpdateUser",
    purpose="Comes before a user is updated: returns the user.",
    kind=Kind.DECISION,
    check="update",
    holds=True,
    decide=_decide,
    answer=same_user,
    unavailable=user_unchanged,
    sample={"user": SAMPLE_USER},
)

"""Comes before a user is updated; may change the user, never refuses."""

from hooks.hook import SAMPLE_USER, Hook, Kind
from hooks.user import answered, answered_unchecked, whole_user

HOOK = Hook(
    name="preUpdateUser",
    purpose="Comes before a user is updated: returns the user.",
    kind=Kind.DECISION,
    check="update",
    holds=True,
    decide=answered,
    answer=whole_user,
    unavailable=answered_unchecked,
    sample={"user": SAMPLE_USER},
)

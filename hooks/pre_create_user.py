"""Comes before a user is created; may change the user, never refuses; keeps the validate's holds alive."""

from hooks.hook import SAMPLE_USER, Hook, Kind
from hooks.user import answered, answered_unchecked, whole_user

HOOK = Hook(
    name="preCreateUser",
    purpose="Comes before a user is created: returns the user.",
    kind=Kind.DECISION,
    creates=True,
    check="create",
    holds=True,
    decide=answered,
    answer=whole_user,
    unavailable=answered_unchecked,
    sample={"user": SAMPLE_USER},
)

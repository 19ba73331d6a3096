"""Asks, before a user is created, whether the tenant agrees; holds the unique values if it does."""

from hooks.hook import SAMPLE_USER, Hook, Kind
from hooks.user import passed_or_refused, verdict_on_user, without_the_store

HOOK = Hook(
    name="validateUser",
    purpose="Validates a user before creation: returns the user, or a refusal code.",
    kind=Kind.DECISION,
    creates=True,
    check="create",
    holds=True,
    repeats_are_suspect=False,
    decide=passed_or_refused,
    answer=verdict_on_user,
    unavailable=without_the_store,
    sample={"user": SAMPLE_USER},
)

"""Asks, before a user is updated, whether the tenant agrees; a person never clashes with themselves."""

from hooks.hook import SAMPLE_USER, Hook, Kind
from hooks.user import passed_or_refused, verdict_on_user, without_the_store

HOOK = Hook(
    name="validateUpdateUser",
    purpose="Validates a user before an update: returns the user, or a refusal code.",
    kind=Kind.DECISION,
    check="update",
    holds=True,
    repeats_are_suspect=False,
    decide=passed_or_refused,
    answer=verdict_on_user,
    unavailable=without_the_store,
    sample={"user": SAMPLE_USER},
)

"""Tells that a user was updated: a fact, the only kind that renames."""

from hooks.hook import SAMPLE_USER, Hook

HOOK = Hook(
    name="postUpdateUser",
    purpose="Tells that a user was updated.",
    fact=True,
    whole_user=True,
    confirms=("validateUpdateUser", "preUpdateUser"),
    sample={"user": SAMPLE_USER},
)

"""Tells that a user was created: a fact, which frees the holds and confirms what was planned on the intention."""

from hooks.hook import SAMPLE_USER, Hook

HOOK = Hook(
    name="postCreateUser",
    purpose="Tells that a user was created.",
    creates=True,
    fact=True,
    whole_user=True,
    confirms=("validateUser", "preCreateUser"),
    sample={"user": SAMPLE_USER},
)

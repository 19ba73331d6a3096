"""Tells that a password was changed. The password itself ends at the door unless an activity declared it needs it."""

from hooks.hook import SAMPLE_USER, Hook

HOOK = Hook(
    name="changePassword",
    purpose="Tells that a user's password was changed.",
    # The same password twice is two changes, and comparing them would mean keeping something of the password.
    repeats_are_suspect=False,
    sample={"user": SAMPLE_USER, "passwordText": "only an example"},
)

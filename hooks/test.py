"""The platform's "save & test": answers that the receiver is there and the token is good."""

from hooks.hook import Hook, Kind

HOOK = Hook(
    name="test",
    purpose="Tests the webhook configuration.",
    kind=Kind.PROBE,
    about_user=False,
    repeats_are_suspect=False,
    sample={},
)

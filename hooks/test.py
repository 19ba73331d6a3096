"""The platform's "save & test": answers that the receiver is there and the token is good."""

from hooks.hook import Decision, Hook, Kind, Question


def _answer_all_the_same(_: Question) -> Decision:
    """The page tests the way to here; whether the store is well, `./hookledger doctor` tells."""
    return Decision("received")


HOOK = Hook(
    name="test",
    purpose="Tests the webhook configuration.",
    kind=Kind.PROBE,
    about_user=False,
    repeats_are_suspect=False,
    unavailable=_answer_all_the_same,
    sample={},
)

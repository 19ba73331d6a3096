"""The reason that every deed on a page carries."""

LONGEST_REASON = 2000


def mistake_in(reason: str) -> str | None:
    """What is wrong with a reason, in words; None: nothing."""
    if not reason or len(reason) > LONGEST_REASON or "\x00" in reason:
        return f"Give a reason, of at most {LONGEST_REASON} characters: auditors will read it."
    return None

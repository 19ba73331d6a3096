"""How often to look at what may have become much."""

_SHARE = 0.02
"""Of the store's time that looks of one kind may take."""
_LONGEST = 30.0


def pause(every: float, took: float) -> float:
    """Seconds until the next look: `every`, more where the last one `took` long, at most 30 unless `every` is more.

    What looks at all open work takes longer the more is open, and then the store has most to do.
    """
    return max(every, min(took / _SHARE, _LONGEST))

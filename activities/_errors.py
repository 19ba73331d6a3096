"""What an activity raises to say how it failed. Their texts stay in the store; Temporal sees the type only."""


class Refused(Exception):
    """The other side said no, and will say no again: never retried."""


class SecretGone(Refused):
    """The secret that the work needs is not there any more, or was never kept."""


class Unavailable(Exception):
    """The other side cannot answer now: retried, after `retry_after` seconds if it said how long."""

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SecretOutOfReach(Unavailable):
    """The secret waits, and this worker has not got what opens it: another one may, or this one after it was mended."""

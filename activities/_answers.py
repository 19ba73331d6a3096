"""What another server's answer means for an attempt: try again, when, or never."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from activities._errors import Refused, Unavailable

_RETRIED = frozenset({408, 409, 423, 425, 429})


def failure(answer: httpx.Response, also_retried: frozenset[int] = frozenset()) -> Exception:
    """Of an answer that is no success."""
    status = answer.status_code
    if status >= 500 or status in _RETRIED or status in also_retried:
        return Unavailable(f"status {status}", retry_after=retry_after(answer))
    return Refused(f"status {status}")


def retry_after(answer: httpx.Response) -> float | None:
    """Seconds of Retry-After, which is a number or a date (RFC 9110 §10.2.3); at most an hour."""
    text = answer.headers.get("retry-after", "")
    if text.isdecimal():
        return min(float(text), 3600.0)
    try:
        wait = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(wait, 0.0), 3600.0)

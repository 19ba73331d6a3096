"""What callers are told when a call is turned away: RFC 9457 problems that never echo what was sent."""

import json
from collections.abc import Mapping

from starlette.responses import Response

_TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    408: "Too slow",
    409: "Not in a state for it",
    413: "Too large",
    415: "Unsupported media type",
    422: "Unexpected shape",
    429: "Too many at a time",
    500: "A fault of the receiver",
    503: "Not available",
}
MEDIA_TYPE = "application/problem+json"
AGAIN_SOON = {"Retry-After": "2"}
"""Seconds, for who is turned away by what passes."""


class Problem(Exception):
    """A call that is turned away. `code` is stable and for programs, `detail` a sentence for people."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def respond(problem: Problem, receipt: str) -> Response:
    """The answer of a problem; `receipt` finds it in `./hookledger doctor`."""
    content = {
        "type": f"urn:hookledger:problem:{problem.code}",
        "title": _TITLES.get(problem.status, "Problem"),
        "status": problem.status,
        "detail": problem.detail,
        "receipt": receipt,
    }
    return Response(json.dumps(content), problem.status, problem.headers, MEDIA_TYPE)

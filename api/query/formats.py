"""In which form rows are answered: a page of JSON, or a stream of JSON lines or CSV, as Accept says."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.problems import Problem
from api.query.desk import Gone
from ledger.answer import Streamed
from ledger.report import cell, line

Form = Literal["json", "lines", "csv"]
MEDIA_TYPES: Mapping[str, Form] = {
    "application/json": "json",
    "application/x-ndjson": "lines",
    "application/jsonl": "lines",
    "text/csv": "csv",
}
_SENT_AS: Mapping[Form, str] = {
    "json": "application/json",
    "lines": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8; header=present",
}
RECEIPT = "hookledger-receipt"
"""The header with the receipt of the entry that says who read it."""
_CHUNK = 65_536


def form_of(accept: str | None) -> Form:
    """What the caller likes best (RFC 9110, 12.5.1); a page of JSON for those who do not say. Raises Problem 406."""
    best: tuple[float, Form] | None = None
    for part in (accept or "*/*").split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        form = (
            "json"
            if kind in ("*/*", "application/*")
            else "csv"
            if kind == "text/*"
            else MEDIA_TYPES.get(kind)
        )
        weight = _weight(parameters)
        if form is not None and weight > 0 and (best is None or weight > best[0]):
            best = (weight, form)
    if best is None:
        raise Problem(406, "not_acceptable", f"Answers come as {', '.join(MEDIA_TYPES)}.")
    return best[1]


def _weight(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


class Page(Response):
    """One page of JSON."""

    def __init__(self, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(line(content), 200, headers, _SENT_AS["json"])


class Stream(Response):
    """Rows as they come, in chunks; never more of them in memory than one batch.

    The first batch is read before anything is sent, so that what goes wrong at once is still a problem. What goes
    wrong later ends the connection without the body's end: a client notices, and takes the answer for no whole one.
    The SHA-256 of lines of JSON is the one that the ledger keeps with the receipt of the reading.
    """

    def __init__(
        self,
        form: Form,
        name: str,
        columns: Sequence[str],
        opening: AbstractAsyncContextManager[Streamed],
    ) -> None:
        super().__init__(None, 200, None, _SENT_AS[form])
        del self.headers["content-length"]
        extension = "csv" if form == "csv" else "jsonl"
        self.headers["content-disposition"] = f'attachment; filename="{name}.{extension}"'
        self._form = form
        self._columns = columns
        self._opening = opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - of ASGI
        async with self._opening as coming:
            rows = await anext(coming.batches, None)
            if coming.report.receipt is not None:
                self.headers[RECEIPT] = str(coming.report.receipt)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            text = _csv([self._columns]) if self._form == "csv" else ""
            while rows is not None:
                text += self._text(rows)
                if len(text) >= _CHUNK:
                    await _send(send, text)
                    text = ""
                rows = await anext(coming.batches, None)
        # Only now, when the ledger has taken down that all was read, is the answer whole.
        await _send(send, text, more=False)

    def _text(self, rows: Sequence[Mapping[str, Any]]) -> str:
        if self._form == "lines":
            return "".join(map(line, rows))
        return _csv([[cell(row[name]) for name in self._columns] for row in rows])


async def _send(send: Send, text: str, *, more: bool = True) -> None:
    try:
        await send({"type": "http.response.body", "body": text.encode(), "more_body": more})
    except OSError:
        raise Gone from None


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    """RFC 4180."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()

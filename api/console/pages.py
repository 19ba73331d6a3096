"""Renders templates, with everything escaped; and serves the two files that pages load, known by their hashes."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from api.console import shown
from api.problems import Problem
from ledger.questions import Question

if TYPE_CHECKING:
    from api.console.gate import Visit

_HERE = Path(__file__).parent
_FILES = {
    "console.css": "text/css; charset=utf-8",
    "htmx-2.0.11.min.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

AnyResponse = TypeVar("AnyResponse", bound=Response)


def guarded(response: AnyResponse) -> AnyResponse:
    """With the headers that every answer of the console carries; `no-store` and `nosniff` come from the desk."""
    response.headers.update(_HEADERS)
    return response


class Pages:
    """The templates, and what all of them need: whom the page is for, whose ledger it shows, what can be asked."""

    def __init__(self, questions: Collection[Question], zones: Mapping[str, str]) -> None:
        self._files = {name: (_HERE / "static" / name).read_bytes() for name in _FILES}
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        shared: dict[str, Any] = {
            "asset": {n: f"/console/static/{n}?{_hash(content)}" for n, content in self._files.items()},
            "questions": list(questions),
            "path": "/console",
        }
        self._environment.globals.update(shared)
        self._environment.filters.update(shown.FILTERS)
        self._zones = zones

    def page(
        self, visit: "Visit", template: str, tenant: str | None = None, status: int = 200, **values: Any
    ) -> Response:
        """A template, for a visitor. `tenant` is the one whose ledger it shows."""
        zones, session = self._zones, visit.session
        may = session.principal.tenants("auditor", zones) if session else ()
        text = self._environment.get_template(template).render(
            visit=visit,
            proof=session.proof if session else None,
            actor=session.principal.actor if session else None,
            tenant=tenant,
            tenants=may,
            operator=bool(session and tenant in session.principal.tenants("operator", zones)),
            zone=shown.zone(zones.get(tenant or "", "UTC")),
            now=datetime.now(UTC),
            **values,
        )
        return guarded(Response(text, status, media_type="text/html"))

    def problem(self, visit: "Visit", wrong: Problem) -> Response:
        """Why a page cannot be shown; with the headers of the problem."""
        title = HTTPStatus(wrong.status).phrase
        response = self.page(
            visit, "problem.html", status=wrong.status, title=title, words=wrong.detail, receipt=visit.receipt
        )
        response.headers.update({k: v for k, v in wrong.headers.items() if k == "Retry-After"})
        return response

    async def file(self, request: Request) -> Response:
        """One of the files that pages load; kept by browsers, since its address changes with it."""
        name = request.path_params["name"]
        if name not in self._files:
            return Response(None, 404)
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
        }
        return guarded(Response(self._files[name], 200, headers, _FILES[name]))


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()[:16]

"""Signing in, by a key or at the identity provider, and signing out."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from api.console import cookies
from api.console.gate import HOME, SIGN_IN, Gate, Visit, to
from api.console.session import new_token, proof_of
from api.problems import Problem
from api.query.code_flow import Leaving
from api.query.cursor import Cursors
from api.query.door import Door
from api.query.oidc import Oidc
from api.query.principal import Principal

BACK = f"{HOME}/back"
_AWAY = 600
"""Seconds for signing in at the provider."""
_PURPOSE = "console: sign in"
"""No name of a question: no cursor passes for somebody on their way, and no way for a cursor."""


class SigningIn:
    """The pages before anybody is known, and the last one."""

    def __init__(self, gate: Gate, door: Door, oidc: Oidc | None, cursors: Cursors) -> None:
        self._gate = gate
        self._door = door
        self._oidc = oidc
        self._cursors = cursors

    async def form(self, visit: Visit) -> Response:
        """Where one signs in."""
        wanted = _within(visit.request.query_params.get("next"))
        return to(wanted) if visit.session else self._form(visit, wanted)

    async def by_key(self, visit: Visit) -> Response:
        """A key that was pasted in."""
        wanted = _within(visit.form.get("next"))
        try:
            principal = await self._door.by_key(visit.form.get("key", "").strip())
        except Problem as wrong:
            return self._form(visit, wanted, wrong)
        return await self._let_in(visit, principal, wanted)

    async def leave(self, visit: Visit) -> Response:
        """To the provider, and a cookie to know them by when they are back."""
        if self._oidc is None:
            raise Problem(404, "not_found", "No identity provider is configured here.")
        back = _back(visit.request)
        left = await self._oidc.leave(back)
        kept = {
            **asdict(left),
            "back": back,
            "next": _within(visit.request.query_params.get("next")),
            "until": time.time() + _AWAY,
        }
        response = to(left.url)
        cookies.give(visit.request, response, cookies.VISIT, self._cursors.seal(_PURPOSE, kept), _AWAY)
        return response

    async def come_back(self, visit: Visit) -> Response:
        """From the provider."""
        kept = self._kept(visit.request)
        if self._oidc is None or kept is None:
            words = "That sign-in was not begun in this browser, or too long ago: begin again."
            return self._form(visit, HOME, Problem(400, "not_begun", words))
        left = Leaving(kept["url"], kept["state"], kept["nonce"], kept["verifier"])
        try:
            principal = await self._oidc.come_back(left, kept["back"], str(visit.request.url))
        except Problem as wrong:
            return self._form(visit, kept["next"], wrong)
        return await self._let_in(visit, principal, kept["next"])

    async def leave_for_good(self, visit: Visit) -> Response:
        """Ends the session."""
        if visit.session:
            await self._gate.sessions.end(visit.session.token)
        response = to(SIGN_IN)
        cookies.take(visit.request, response, cookies.SESSION)
        return response

    async def _let_in(self, visit: Visit, principal: Principal, wanted: str) -> Response:
        if not principal.tenants("auditor", self._gate.tenants):
            raise Problem(403, "not_allowed", "You may read none of the tenants that are configured.")
        token = await self._gate.sessions.begin(principal, cookies.read(visit.request, cookies.SESSION))
        response = to(wanted)
        cookies.give(visit.request, response, cookies.SESSION, token)
        cookies.take(visit.request, response, cookies.VISIT)
        return response

    def _form(self, visit: Visit, wanted: str, wrong: Problem | None = None) -> Response:
        token = new_token()
        response = self._gate.pages.page(
            visit,
            "sign_in.html",
            status=wrong.status if wrong else 200,
            wanted=wanted,
            provider=f"{SIGN_IN}/provider?next={quote(wanted, safe='')}" if self._oidc else None,
            form_proof=proof_of(token),
            wrong=wrong.detail if wrong else None,
        )
        cookies.give(visit.request, response, cookies.VISIT, token)
        return response

    def _kept(self, request: Request) -> Mapping[str, Any] | None:
        try:
            kept = self._cursors.open(_PURPOSE, cookies.read(request, cookies.VISIT) or "")
        except Problem:
            return None
        return kept if kept["until"] > time.time() else None


def _back(request: Request) -> str:
    """The address that the provider must know for us; it refuses any other, whatever a browser says our host is."""
    return f"{request.url.scheme}://{request.url.netloc}{BACK}"


def _within(wanted: str | None) -> str:
    """An address of the console; no other one can be slipped into a link that leads here."""
    plain = wanted is not None and wanted.isascii() and wanted.isprintable() and "\\" not in wanted
    inside = plain and wanted is not None and (wanted == HOME or wanted.startswith(f"{HOME}/of/"))
    return wanted if inside and wanted else HOME

"""What every page goes through: who is it, did the form come from us, may they see that tenant; and problems as pages."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote
from uuid import UUID

import uuid_utils
from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from api.console import cookies
from api.console.pages import Pages, guarded
from api.console.session import Session, Sessions, proves
from api.problems import Problem
from api.query.bounds import Bounds
from api.query.desk import Call, Gone, Said, problem_of, too_long, while_they_listen
from api.query.principal import Principal
from ledger.engine import EngineErrors, StoreErrors
from ledger.walls import see
from settings.query import Role

log = logging.getLogger(__name__)

HOME = "/console"
SIGN_IN = f"{HOME}/sign-in"
_MOST_FORM = 262_144
"""Bytes: a thousand ticked boxes, and a reason."""
_MOST_FIELDS = 4000
_FORM_SECONDS = 10.0
_NOBODY = Principal("", ())

Form = ImmutableMultiDict[str, str]


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at a page, or one form sent. `session` is None only for who is about to sign in."""

    request: Request
    session: Session | None
    receipt: UUID
    form: Form

    @property
    def principal(self) -> Principal:
        return self.session.principal if self.session else _NOBODY


Handler = Callable[[Visit], Awaitable[Response]]


class NotSignedIn(Problem):
    """401: leads to the page where one signs in."""

    def __init__(self) -> None:
        super().__init__(401, "not_signed_in", "Sign in first.")


class NotFromHere(Problem):
    """403: a form that no page of this session has made."""

    def __init__(self) -> None:
        words = (
            "The form is not of this session, or of an older one: open the page again, then send it again."
        )
        super().__init__(403, "not_from_here", words)


@dataclass(frozen=True, slots=True)
class Gate:
    """One per process. `longest` is how long one answer may take, in seconds."""

    sessions: Sessions
    bounds: Bounds
    pages: Pages
    tenants: tuple[str, ...]
    longest: float

    def page(self, handler: Handler, *, open_: bool = False) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a page; `open_` for those who have not signed in, too."""

        async def endpoint(request: Request) -> Response:
            return _Answering(self, handler, request, open_=open_)

        return endpoint

    def may(self, visit: Visit, tenant: str, least: Role = "auditor") -> bool:
        """Whether they have that role in that tenant."""
        return tenant in visit.principal.tenants(least, self.tenants)

    def tenant(self, visit: Visit, least: Role = "auditor") -> str:
        """The tenant in the address. Raises Problem: 404 alike for none and for another's, 403 for too small a role.

        From then on the visit sees that tenant only.
        """
        tenant = visit.request.path_params["tenant"]
        if not self.may(visit, tenant):
            raise Problem(404, "no_such_tenant", "There is no such tenant, or none that you may read.")
        if not self.may(visit, tenant, least):
            raise Problem(403, "not_allowed", f"That is for the role {least} in {tenant}.")
        see(tenant)
        return tenant

    async def answer(
        self, handler: Handler, request: Request, send: Send, receive: Receive, *, open_: bool
    ) -> None:
        """The whole visit, bounded; whoever goes away takes statements and streams along."""
        receipt, said = UUID(int=uuid_utils.uuid7().int), Said(send)
        visit = Visit(request, None, receipt, Form())
        try:
            async with asyncio.timeout(self.longest):
                session = await self._session(request, open_=open_)
                visit = Visit(request, session, receipt, Form())
                with self.bounds.held(self._who(visit)):
                    if request.method == "POST":
                        visit = Visit(request, session, receipt, await _form(request))
                        _check_proof(visit)
                    call = Call(Request(request.scope, receive), visit.principal, receipt, None)
                    await while_they_listen(lambda _: handler(visit), call, said)
        except NotSignedIn as wrong:
            await said.instead(self._sign_in(request, wrong))
        except Problem as wrong:
            await said.instead(self.pages.problem(visit, wrong))
        except TimeoutError:
            await said.instead(self.pages.problem(visit, too_long()))
        except (*EngineErrors, *StoreErrors) as wrong:
            log.warning("page %s: the store cannot be used (%s)", receipt, type(wrong).__name__)
            await said.instead(self.pages.problem(visit, problem_of(wrong)))
        except Gone:
            pass
        except Exception as wrong:
            # No traceback: it may quote what was read.
            log.error("page %s failed: %s", receipt, type(wrong).__name__)
            words = "The page failed; its receipt finds the line in the log."
            await said.instead(self.pages.problem(visit, Problem(500, "failed", words)))

    async def _session(self, request: Request, *, open_: bool) -> Session | None:
        session = await self.sessions.find(cookies.read(request, cookies.SESSION))
        if session is None and not open_:
            raise NotSignedIn
        return session

    def _who(self, visit: Visit) -> str:
        client = visit.request.client
        return visit.principal.actor or f"console:{client.host if client else '?'}"

    def _sign_in(self, request: Request, wrong: Problem) -> Response:
        """To the page where one signs in, and back to where they wanted to go if that was to look."""
        url = request.url
        wanted = url.path + (f"?{url.query}" if url.query else "")
        target = SIGN_IN if request.method != "GET" else f"{SIGN_IN}?next={quote(wanted, safe='')}"
        if request.headers.get("hx-request"):
            return guarded(Response(None, wrong.status, {"HX-Redirect": SIGN_IN}))
        return to(target)


class _Answering(Response):
    """Does its work only when it is sent: until then nobody would notice that the visitor has gone."""

    def __init__(self, gate: Gate, handler: Handler, request: Request, *, open_: bool) -> None:
        super().__init__()
        self._gate, self._handler, self._request, self._open = gate, handler, request, open_

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        request.path_params.update(self._request.path_params)
        await self._gate.answer(self._handler, request, send, receive, open_=self._open)


def to(address: str) -> Response:
    """Sends the browser there with GET: what was posted is not posted again when the page is loaded anew."""
    return guarded(RedirectResponse(address, 303))


def _check_proof(visit: Visit) -> None:
    """Raises NotFromHere. Of who has not signed in, the form is bound to the cookie that came with it."""
    request = visit.request
    site = request.headers.get("sec-fetch-site", "same-origin")
    token = visit.session.token if visit.session else cookies.read(request, cookies.VISIT)
    if site not in ("same-origin", "none") or not token or not proves(visit.form.get("proof", ""), token):
        raise NotFromHere


async def _form(request: Request) -> Form:
    """Fields of a form as browsers send it. Raises Problem 400, 408, 413, 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Problem(415, "no_form", "A form must be sent as application/x-www-form-urlencoded.")
    raw = b""
    try:
        async with asyncio.timeout(_FORM_SECONDS):
            async for part in request.stream():
                raw += part
                if len(raw) > _MOST_FORM:
                    raise Problem(413, "too_large", "The form is too large.")
    except TimeoutError:
        raise Problem(408, "too_slow", "The form did not come in time.") from None
    try:
        fields = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise Problem(400, "bad_form", "The form is not one.") from None
    return Form(fields)

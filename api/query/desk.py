"""What every call goes through: who is it, may they now, answer while they listen, and say in a problem why not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import uuid_utils
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api import body as bodies
from api.problems import Problem, respond
from api.query.bounds import Bounds
from api.query.door import Door
from api.query.principal import Principal
from ledger.engine import EngineErrors, StoreErrors
from ledger.walls import see

log = logging.getLogger(__name__)

MOST_BODY = 65_536
"""Bytes of a request's body: parameters, or a deed with its reason."""
_BODY_SECONDS = 10.0
_ALWAYS = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was let in. `body` is the object of JSON that was sent, None for GET."""

    request: Request
    principal: Principal
    receipt: UUID
    body: dict[str, object] | None


Handler = Callable[[Call], Awaitable[Response]]


class Gone(Exception):
    """An answer that cannot be ended as it began: the connection is closed, so that nobody takes it for whole."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One per process. `longest` is how long one call may take, in seconds, whatever is sent how slowly."""

    door: Door
    bounds: Bounds
    longest: float

    def endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a route; what it gives answers when it is sent, for as long as that takes."""

        async def endpoint(request: Request) -> Response:
            return _Answering(self, handler, request)

        return endpoint

    async def answer(self, handler: Handler, request: Request, send: Send) -> None:
        """The whole call, bounded."""
        receipt = uuid_utils.uuid7()
        said = Said(send)
        try:
            async with asyncio.timeout(self.longest):
                principal = await self.door.let_in(request.headers.getlist("authorization"))
                with self.bounds.held(principal.actor):
                    body = await _body(request) if request.method == "POST" else None
                    call = Call(request, principal, UUID(int=receipt.int), body)
                    await while_they_listen(handler, call, said)
        except Problem as wrong:
            await said.instead(respond(wrong, str(receipt)))
        except TimeoutError:
            log.warning("call %s took longer than %.0f s", receipt, self.longest)
            await said.instead(respond(too_long(), str(receipt)))
        except (*EngineErrors, *StoreErrors) as wrong:
            log.warning("call %s: the store cannot be used (%s)", receipt, type(wrong).__name__)
            await said.instead(respond(problem_of(wrong), str(receipt)))
        except Gone:
            pass
        except Exception as wrong:
            # No traceback: it may quote what was read.
            log.error("call %s failed: %s", receipt, type(wrong).__name__)
            words = "The call failed; its receipt finds the line in the log."
            await said.instead(respond(Problem(500, "failed", words), str(receipt)))


class _Answering(Response):
    """Does its work only when it is sent: until then nobody would notice that the caller has gone."""

    def __init__(self, desk: Desk, handler: Handler, request: Request) -> None:
        super().__init__()
        self._desk = desk
        self._handler = handler
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        request.path_params.update(self._request.path_params)
        await self._desk.answer(self._handler, request, send)


class Said:
    """Notices whether the answer has begun: afterwards no other one can be given."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            message = {**message, "headers": [*message.get("headers", ()), *_ALWAYS]}
        await self._send(message)

    async def instead(self, response: Response) -> None:
        """A problem, if nothing was sent yet. Else the connection ends without an end of the body."""
        if not self.begun:
            await response({"type": "http"}, _nothing, self)


async def while_they_listen(handler: Handler, call: Call, said: Said) -> None:
    """Answers; ends at once, statement and all, when the caller has gone."""

    async def whole() -> None:
        see(*call.principal.sees())
        response = await handler(call)
        await response(call.request.scope, _nothing, said)

    answering = asyncio.create_task(whole())
    leaving = asyncio.create_task(_gone(call.request.receive))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            log.info("call %s: the caller has gone", call.receipt)
            raise Gone
        answering.result()
    finally:
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _body(request: Request) -> dict[str, object]:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            raw = await bodies.read(dict(request.headers.raw), request.receive, MOST_BODY)
    except TimeoutError:
        raise Problem(408, "too_slow", f"The body did not come within {_BODY_SECONDS:.0f} s.") from None
    return bodies.parse(raw)


def too_long() -> Problem:
    return Problem(503, "took_too_long", "The answer took too long: ask for less, by time or by page.")


def problem_of(wrong: Exception) -> Problem:
    """57014 is query_canceled: our statement_timeout (PostgreSQL, appendix A)."""
    if getattr(getattr(wrong, "orig", wrong), "sqlstate", None) == "57014":
        return too_long()
    return Problem(503, "store_away", "The store is out of reach: try again.", {"Retry-After": "5"})

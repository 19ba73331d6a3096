"""Bulk redrive over HTTP, and deeds that wait for another person: counted, asked for, approved, rejected."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.problems import Problem
from api.query.deeds import Reason, must_operate, operators_tenants
from api.query.desk import Call
from api.query.formats import Page
from api.query.parameters import read
from ledger.bulk import STATES, MoreThanCounted, Selection, State, count, find
from ledger.engine import Engine
from ledger.erasable import Blocked
from ledger.operate import NoSuchWork
from ledger.requests import NoSuchRequest, Request, SamePerson, list_requests
from runtime import four_eyes
from runtime.deeds import order
from runtime.erasing import Done as Erased
from runtime.erasing import Impossible
from settings import Settings

_Name = Annotated[str, Field(pattern=r"^[^\x00]{1,200}$")]


class OnMany(BaseModel):
    """Which work. Without `counted` it is only counted; with it, at most so much is redriven."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    tenant: str
    states: Annotated[tuple[State, ...], Field(min_length=1)] = STATES
    activity: _Name | None = None
    hook: _Name | None = None
    application: _Name | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    counted: Annotated[int, Field(ge=1)] | None = None
    reason: Reason | None = None

    def selection(self) -> Selection:
        """As the ledger has it."""
        return Selection(
            self.tenant, self.states, self.activity, self.hook, self.application, self.since, self.until
        )


class OnRequest(BaseModel):
    """Which request, and why."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    request: UUID
    reason: Reason


class Requests:
    """The calls of makers and checkers."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine

    async def redrive_all(self, call: Call) -> Response:
        """Counts; or redrives, or asks for it where the tenant wants four eyes."""
        asked, who = read(OnMany, call.body), call.principal
        must_operate(who, asked.tenant, self._settings)
        selection = asked.selection()
        if asked.counted is None:
            async with self._engine.connect() as connection:
                found = await count(connection, selection)
            return Page({"counted": sum(found.values()), "activities": found})
        if asked.reason is None:
            raise Problem(422, "bad_parameters", "reason: is missing.")
        reason = asked.reason.strip()
        try:
            async with self._engine.connect() as connection:
                refs = await find(connection, selection, asked.counted)
        except NoSuchWork:
            raise Problem(409, "nothing_to_do", "There is no such work to redrive.") from None
        except MoreThanCounted as wrong:
            raise Problem(409, "more_than_counted", f"Nothing was done: {wrong}.") from None
        if four_eyes.wants_another(self._settings, asked.tenant, four_eyes.BULK):
            parameters, least = selection.parameters(), min(len(refs), asked.counted)
            waits = await four_eyes.request(
                self._engine.begin, four_eyes.BULK, who.actor, reason, asked.tenant, parameters, least
            )
            return _asked(waits)
        like = order("redrive", who.actor, reason, tenant=asked.tenant)
        temporal = call.request.app.state.temporal
        done = await four_eyes.redrive_all(
            self._engine.begin, self._settings, selection, refs, like, temporal
        )
        return Page(_done(done))

    async def listing(self, call: Call) -> Response:
        """What waits, of the tenants in which the caller is an operator."""
        may = operators_tenants(call.principal, self._settings)
        async with self._engine.connect() as connection:
            found = await list_requests(connection, may)
        return Page({"requests": [_shown(request) for request in found]})

    async def approve(self, call: Call) -> Response:
        """Does what another person asked for."""
        asked, who = read(OnRequest, call.body), call.principal
        may = operators_tenants(who, self._settings)
        temporal = call.request.app.state.temporal
        try:
            request, done = await four_eyes.approve(
                self._engine.begin,
                self._settings,
                asked.request,
                may,
                who.actor,
                asked.reason.strip(),
                temporal,
                admins=who.tenants("admin", self._settings.tenants),
            )
        except Blocked as wrong:
            raise Problem(409, "in_the_way", f"Nothing was approved: {wrong}.") from None
        except Impossible as wrong:
            raise Problem(503, "cannot_erase", f"Nothing was approved: {wrong}.") from None
        except NoSuchRequest:
            raise _no_such_request() from None
        except SamePerson:
            words = "Who asked for a deed cannot approve it: another person must."
            raise Problem(403, "same_person", words) from None
        except NoSuchWork:
            raise Problem(409, "nothing_to_do", "There is nothing left to do of it.") from None
        except MoreThanCounted as wrong:
            raise Problem(409, "more_than_counted", f"Nothing was approved: {wrong}.") from None
        return Page({"request": request.id, "deed": request.deed} | (_done(done) if done else {}))

    async def reject(self, call: Call) -> Response:
        """Ends a request without doing it."""
        asked, who = read(OnRequest, call.body), call.principal
        may = operators_tenants(who, self._settings)
        try:
            request = await four_eyes.reject(
                self._engine.begin, asked.request, may, who.actor, asked.reason.strip()
            )
        except NoSuchRequest:
            raise _no_such_request() from None
        return Page({"request": request.id, "deed": request.deed, "rejected": True})


def _asked(waits: four_eyes.Asked) -> Page:
    return Page({"requested": waits.id, "expires_at": waits.expires_at})


def _done(done: four_eyes.Redriven | Erased) -> dict[str, object]:
    if isinstance(done, Erased):
        return {
            "certificate": done.id,
            "note": done.erased.certificate,
            "secret": done.secret,
            "temporal": done.temporal,
        }
    return {"pieces": done.pieces, "people": done.people, "note": done.late}


def _shown(request: Request) -> dict[str, object]:
    times: dict[str, datetime] = {"made_at": request.made_at, "expires_at": request.expires_at}
    return {
        "request": request.id,
        "tenant": request.tenant,
        "deed": request.deed,
        "parameters": dict(request.parameters),
        "counted": request.counted,
        "maker": request.maker,
        "reason": request.reason,
        **times,
    }


def _no_such_request() -> Problem:
    return Problem(404, "no_such_request", "No request that is open has this id.")

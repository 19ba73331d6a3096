"""Failures, and what an operator does about them: by hand or all that a filter finds, counted before anything is done."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from starlette.responses import Response

from api.console.asking import Asked, Asking
from api.console.fields import fields
from api.console.gate import HOME, Gate, Visit, to
from api.console.reasons import mistake_in
from api.problems import Problem
from api.query.cursor import Cursors
from api.query.parameters import BadParameters
from ledger.bulk import STATES, Selection
from ledger.engine import Connection, Engine
from ledger.failures import still_broken
from ledger.operate import Done, NoSuchWork, operate
from ledger.questions import questions
from runtime import four_eyes
from runtime.deeds import order, ring_after
from settings import Settings

_ROWS = 100
MOST = 500
"""Pieces of work in one order: who means more narrows the filter, or sends it again."""
_DEEDS = ("redrive", "skip")
_DONE = "console: done"

Piece = tuple[UUID, str]
"""Delivery and activity."""


class Failures:
    """Every look at them is an answer to the question `failures`, and every deed goes the way of all deeds."""

    def __init__(
        self, gate: Gate, settings: Settings, engine: Engine, asking: Asking, cursors: Cursors
    ) -> None:
        self._gate = gate
        self._settings = settings
        self._engine = engine
        self._asking = asking
        self._cursors = cursors
        self._question = questions()["failures"]

    async def page(self, visit: Visit) -> Response:
        """The list, by the filter in the address; and what was done just now."""
        tenant, params = self._gate.tenant(visit), visit.request.query_params
        done = self._cursors.open(_DONE, params["done"]) if "done" in params else None
        given = {name: value for name, value in params.items() if name != "done"}
        return await self._list(visit, tenant, given, done=done)

    async def weigh(self, visit: Visit) -> Response:
        """What would be done, counted, with the reason to be confirmed; nothing has been done yet."""
        tenant = self._gate.tenant(visit, "operator")
        given = _filter(visit)
        deed, reason = visit.form.get("deed", ""), visit.form.get("reason", "").strip()
        if wrong := _mistake(deed, reason):
            return await self._list(visit, tenant, given, wrong=wrong, reason=reason)
        if visit.form.get("which") == "all":
            rows, more = await self._matching(visit, tenant, given)
            pieces = [(row["delivery"], row["activity"]) for row in rows]
        else:
            pieces, more = _ticked(visit), False
        if not pieces:
            words = "Tick the work that is meant, or choose all that the filter finds."
            return await self._list(visit, tenant, given, wrong=words, reason=reason)
        another = self._wants_another(tenant, deed, pieces)
        if another and (more or visit.form.get("which") != "all"):
            words = f"{tenant} wants another person for more than one piece of work: choose all that a filter finds, {MOST} at most, or one."
            return await self._list(visit, tenant, given, wrong=words, reason=reason)
        return self._gate.pages.page(
            visit,
            "weigh.html",
            tenant,
            deed=deed,
            reason=reason,
            pieces=[f"{delivery} {activity}" for delivery, activity in pieces],
            deliveries=len({delivery for delivery, _ in pieces}),
            by_activity=_counted(pieces),
            given=given,
            back=f"{HOME}/of/{tenant}/failures?{urlencode(given)}",
            more=more,
            most=MOST,
            another=another,
        )

    async def act(self, visit: Visit) -> Response:
        """Does what was weighed: exactly those pieces, each a deed with its own entry."""
        tenant = self._gate.tenant(visit, "operator")
        deed, reason = visit.form.get("deed", ""), visit.form.get("reason", "").strip()
        if wrong := _mistake(deed, reason):
            raise Problem(422, "bad_deed", wrong)
        pieces = _ticked(visit)
        if self._wants_another(tenant, deed, pieces):
            selection = _selection(tenant, _filter(visit))
            await four_eyes.request(
                self._engine.begin, four_eyes.BULK, visit.principal.actor, reason, tenant,
                selection.parameters(), len(pieces),
            )  # fmt: skip
            return to(f"{HOME}/of/{tenant}/requests")
        done, gone = await self._do(visit, tenant, deed, reason, pieces)
        note = await self._ring(visit, done)
        told = {
            "deed": deed,
            "pieces": sum(one.count for one in done),
            "people": len({one.subject for one in done}),
            "gone": gone,
            "note": note,
        }
        sealed = self._cursors.seal(_DONE, told)
        return to(f"{HOME}/of/{tenant}/failures?{urlencode(_filter(visit) | {'done': sealed})}")

    def _wants_another(self, tenant: str, deed: str, pieces: Sequence[Piece]) -> bool:
        wanted = four_eyes.wants_another(self._settings, tenant, four_eyes.BULK)
        return wanted and deed == "redrive" and len(pieces) > 1

    async def _do(
        self, visit: Visit, tenant: str, deed: str, reason: str, pieces: Sequence[Piece]
    ) -> tuple[list[Done], int]:
        """What was done, and how many pieces were in no state for it any more. Each is committed by itself."""
        done: list[Done] = []
        gone = 0
        for delivery, activity in pieces:
            ordered = order(
                cast("Any", deed),
                visit.principal.actor,
                reason,
                tenant=tenant,
                delivery=delivery,
                activity=activity,
            )
            try:
                async with self._engine.begin() as connection:
                    await self._still_open(connection, tenant, delivery, activity)
                    done.append(await operate(connection, ordered))
            except NoSuchWork:
                gone += 1
        return done, gone

    async def _ring(self, visit: Visit, done: Sequence[Done]) -> str | None:
        """Once for each person. If Temporal is away, the sweep rings for all of them: nobody waits for its time-outs."""
        for one in {one.subject: one for one in done}.values():
            if note := await ring_after(self._settings, one, visit.request.app.state.temporal):
                return note
        return None

    async def _matching(self, visit: Visit, tenant: str, given: dict[str, str]) -> tuple[list[Any], bool]:
        asked = self._asking.read(self._question, tenant, given)
        _, page = await self._asking.answer(self._question, asked, visit.principal.actor, MOST)
        return list(page.rows), page.next is not None

    async def _list(
        self,
        visit: Visit,
        tenant: str,
        given: dict[str, str],
        *,
        done: dict[str, Any] | None = None,
        wrong: str | None = None,
        reason: str = "",
    ) -> Response:
        try:
            asked = self._read(tenant, given)
        except BadParameters as mistake:
            wrong, asked, given = mistake.detail, self._asking.read(self._question, tenant, {}), {}
        asked, page = await self._asking.answer(self._question, asked, visit.principal.actor, _ROWS)
        following = None
        if page.next is not None:
            following = urlencode(given | {"after": self._seal_after(tenant, asked, page.next)})
        plain = {name: value for name, value in given.items() if name != "after"}
        return self._gate.pages.page(
            visit,
            "failures.html",
            tenant,
            status=422 if wrong else 200,
            fields=list(fields(self._question.parameters, plain)),
            given=plain,
            filtered=any(plain.values()),
            page=page,
            further="after" in given,
            following=f"?{following}" if following else None,
            done=done,
            wrong=wrong,
            reason=reason,
            most=MOST,
        )

    def _read(self, tenant: str, given: dict[str, str]) -> Asked:
        if sealed := given.get("after"):
            return self._asking.open(self._question, tenant, sealed)
        return self._asking.read(self._question, tenant, given)

    def _seal_after(self, tenant: str, asked: Asked, after: str) -> str:
        return self._asking.seal(self._question, tenant, Asked(asked.given, asked.parameters, after))

    async def _still_open(self, connection: Connection, tenant: str, delivery: UUID, activity: str) -> None:
        """Named work is run again even if it went well; what went well since it was weighed must not be."""
        if not await still_broken(connection, tenant, delivery, activity):
            raise NoSuchWork


def _filter(visit: Visit) -> dict[str, str]:
    names = ("activity", "hook", "application", "state")
    return {name: value for name in names if (value := visit.form.get(name, ""))}


def _selection(tenant: str, given: Mapping[str, str]) -> Selection:
    """The same work as the question `failures` finds by that filter."""
    state: Any = given.get("state")
    return Selection(
        tenant,
        (state,) if state else STATES,
        given.get("activity"),
        given.get("hook"),
        given.get("application"),
    )


def _mistake(deed: str, reason: str) -> str | None:
    return "Choose redrive or skip." if deed not in _DEEDS else mistake_in(reason)


def _ticked(visit: Visit) -> list[Piece]:
    """The pieces that a form names. Raises Problem for what no form of ours sends."""
    found: list[Piece] = []
    for text in dict.fromkeys(visit.form.getlist("piece")):
        delivery, _, activity = text.partition(" ")
        try:
            found.append((UUID(delivery), activity))
        except ValueError:
            raise Problem(
                422, "bad_piece", "The form names work in a way that no page of ours does."
            ) from None
    if len(found) > MOST or any("\x00" in activity for _, activity in found):
        raise Problem(422, "bad_piece", f"At most {MOST} pieces of work at a time.")
    return found


def _counted(pieces: Sequence[Piece]) -> dict[str, int]:
    found: dict[str, int] = {}
    for _, activity in pieces:
        found[activity] = found.get(activity, 0) + 1
    return found

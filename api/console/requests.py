"""Deeds that wait for another person: who asked for what and why; approved or rejected by somebody else."""

from typing import Any
from uuid import UUID

from starlette.responses import Response

from api.console.gate import Gate, Visit
from api.console.reasons import LONGEST_REASON, mistake_in
from api.problems import Problem
from ledger.bulk import MoreThanCounted
from ledger.engine import Engine
from ledger.erasable import Blocked
from ledger.operate import NoSuchWork
from ledger.requests import NoSuchRequest, SamePerson, list_requests
from runtime import four_eyes
from runtime.erasing import Done as Erased
from runtime.erasing import Impossible
from settings import Settings


class RequestPages:
    """The same as `./hookledger requests`, `approve` and `reject`."""

    def __init__(self, gate: Gate, settings: Settings, engine: Engine) -> None:
        self._gate = gate
        self._settings = settings
        self._engine = engine

    async def page(self, visit: Visit) -> Response:
        """What waits, the oldest first."""
        return await self._list(visit, self._gate.tenant(visit))

    async def close(self, visit: Visit) -> Response:
        """Approves or rejects. The answer is the page itself: what an erasure shows, it shows once."""
        tenant = self._gate.tenant(visit, "operator")
        reason, verdict = visit.form.get("reason", "").strip(), visit.form.get("verdict", "")
        try:
            id_ = UUID(visit.form.get("request", ""))
        except ValueError:
            raise Problem(422, "bad_request", "The form names no request.") from None
        if wrong := mistake_in(reason):
            return await self._list(visit, tenant, wrong=wrong)
        if verdict == "reject":
            return await self._rejected(visit, tenant, id_, reason)
        if verdict != "approve":
            raise Problem(422, "bad_request", "A request is approved or rejected.")
        return await self._approved(visit, tenant, id_, reason)

    async def _rejected(self, visit: Visit, tenant: str, id_: UUID, reason: str) -> Response:
        try:
            asked = await four_eyes.reject(self._engine.begin, id_, [tenant], visit.principal.actor, reason)
        except NoSuchRequest as wrong:
            return await self._list(visit, tenant, wrong=f"{wrong}.")
        return await self._list(visit, tenant, said=f"Rejected: {asked.deed}, asked for by {asked.maker}.")

    async def _approved(self, visit: Visit, tenant: str, id_: UUID, reason: str) -> Response:
        who = visit.principal
        try:
            asked, done = await four_eyes.approve(
                self._engine.begin, self._settings, id_, [tenant], who.actor, reason,
                visit.request.app.state.temporal, admins=who.tenants("admin", self._settings.tenants),
            )  # fmt: skip
        except (NoSuchRequest, SamePerson, NoSuchWork, MoreThanCounted, Blocked, *Impossible) as wrong:
            return await self._list(visit, tenant, wrong=f"Nothing was approved: {wrong}.")
        return await self._list(
            visit, tenant, said=f"Done: {asked.deed}, asked for by {asked.maker}.", done=_told(done)
        )

    async def _list(
        self,
        visit: Visit,
        tenant: str,
        *,
        wrong: str | None = None,
        said: str | None = None,
        done: dict[str, Any] | None = None,
    ) -> Response:
        async with self._engine.connect() as connection:
            found = await list_requests(connection, [tenant])
        return self._gate.pages.page(
            visit,
            "requests.html",
            tenant,
            status=422 if wrong else 200,
            requests=found,
            wrong=wrong,
            said=said,
            done=done,
            longest=LONGEST_REASON,
        )


def _told(done: four_eyes.Redriven | Erased | None) -> dict[str, Any] | None:
    match done:
        case four_eyes.Redriven():
            return {"pieces": done.pieces, "people": done.people, "late": done.late}
        case Erased():
            return {"certificate": done.id, "secret": done.secret, "temporal": done.temporal}
        case None:
            return None

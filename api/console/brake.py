"""Lets runDeprovision be answered as configured again: an operator's deed, from the overview."""

from starlette.responses import Response

from api.console.gate import HOME, Gate, Visit, to
from api.console.reasons import mistake_in
from api.problems import Problem
from ledger.engine import Engine
from ledger.operate import NoSuchWork, release_brake
from runtime import four_eyes
from runtime.deeds import order
from settings import Settings


class Brake:
    """The same deed as that of the command and of the call."""

    def __init__(self, gate: Gate, settings: Settings, engine: Engine) -> None:
        self._gate = gate
        self._settings = settings
        self._engine = engine

    async def release(self, visit: Visit) -> Response:
        """Back to the overview, which then shows no brake; or to what waits, where the tenant wants another person."""
        tenant = self._gate.tenant(visit, "operator")
        reason = visit.form.get("reason", "").strip()
        if wrong := mistake_in(reason):
            raise Problem(422, "bad_deed", wrong)
        who = visit.principal.actor
        if four_eyes.wants_another(self._settings, tenant, four_eyes.BRAKE):
            await four_eyes.request(self._engine.begin, four_eyes.BRAKE, who, reason, tenant, {}, 1)
            return to(f"{HOME}/of/{tenant}/requests")
        try:
            async with self._engine.begin() as connection:
                await release_brake(connection, order("release brake", who, reason, tenant=tenant))
        except NoSuchWork:
            raise Problem(409, "nothing_to_do", "The brake is not on: somebody has released it.") from None
        return to(f"{HOME}/of/{tenant}")

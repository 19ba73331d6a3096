"""Lets runDeprovision be answered as configured again: an operator's deed, from the overview."""

from starlette.responses import Response

from api.console.gate import HOME, Gate, Visit, to
from api.console.reasons import mistake_in
from api.problems import Problem
from ledger.engine import Engine
from ledger.operate import NoSuchWork, release_brake
from runtime.deeds import order


class Brake:
    """The same deed as that of the command and of the call."""

    def __init__(self, gate: Gate, engine: Engine) -> None:
        self._gate = gate
        self._engine = engine

    async def release(self, visit: Visit) -> Response:
        """Back to the overview, which then shows no brake."""
        tenant = self._gate.tenant(visit, "operator")
        reason = visit.form.get("reason", "").strip()
        if wrong := mistake_in(reason):
            raise Problem(422, "bad_deed", wrong)
        try:
            async with self._engine.begin() as connection:
                await release_brake(
                    connection, order("release brake", visit.principal.actor, reason, tenant=tenant)
                )
        except NoSuchWork:
            raise Problem(409, "nothing_to_do", "The brake is not on: somebody has released it.") from None
        return to(f"{HOME}/of/{tenant}")

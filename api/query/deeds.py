"""Deeds over HTTP: an operator redrives, skips and releases, for the tenants in which they are one, with a reason."""

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.problems import Problem
from api.query.desk import Call, Handler
from api.query.formats import Page
from api.query.parameters import read
from api.query.principal import Principal
from ledger.engine import Engine
from ledger.operate import Deed, NoSuchWork, operate, release_brake, tenant_of
from ledger.walls import see
from runtime import four_eyes
from runtime.deeds import order, ring_after
from settings import Settings

Reason = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]


class OnWork(BaseModel):
    """Whose work: that of one delivery, or one activity of it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    delivery: UUID
    activity: Annotated[str, Field(pattern=r"^[^\x00]{1,200}$")] | None = None
    reason: Reason


class OnBrake(BaseModel):
    """Whose brake."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    tenant: str
    reason: Reason


class Deeds:
    """The calls that change something."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine

    def on_work(self, deed: Deed) -> Handler:
        """Redrives or skips."""

        async def handler(call: Call) -> Response:
            asked = read(OnWork, call.body)
            may = self._may(call.principal)
            try:
                async with self._engine.begin() as connection:
                    tenant = await tenant_of(connection, asked.delivery, may)
                    ordered = order(
                        deed,
                        call.principal.actor,
                        asked.reason.strip(),
                        tenant=tenant,
                        delivery=asked.delivery,
                        activity=asked.activity,
                    )
                    done = await operate(connection, ordered)
            except NoSuchWork:
                words = f"There is nothing to {deed}: no such delivery, or no work of it in a state for that."
                raise Problem(409, "nothing_to_do", words) from None
            late = await ring_after(self._settings, done, call.request.app.state.temporal)
            return Page(
                {
                    "deed": deed,
                    "receipt": ordered.new_id,
                    "tenant": done.tenant,
                    "pieces": done.count,
                    "note": late,
                }
            )

        return handler

    async def release(self, call: Call) -> Response:
        """Lets runDeprovision be answered as configured again."""
        asked = read(OnBrake, call.body)
        must_operate(call.principal, asked.tenant, self._settings)
        ordered = order("release brake", call.principal.actor, asked.reason.strip(), tenant=asked.tenant)
        if four_eyes.wants_another(self._settings, asked.tenant, four_eyes.BRAKE):
            waits = await four_eyes.request(
                self._engine.begin, four_eyes.BRAKE, ordered.actor, ordered.reason, asked.tenant, {}, 1
            )
            return Page({"requested": waits.id, "expires_at": waits.expires_at})
        try:
            async with self._engine.begin() as connection:
                await release_brake(connection, ordered)
        except NoSuchWork:
            raise Problem(409, "nothing_to_do", "The brake is not on.") from None
        return Page({"deed": ordered.deed, "receipt": ordered.new_id, "tenant": asked.tenant})

    def _may(self, who: Principal) -> tuple[str, ...]:
        return operators_tenants(who, self._settings)


def must_operate(who: Principal, tenant: str, settings: Settings) -> None:
    """Raises Problem 403 if they are no operator there. From then on the call sees that tenant only."""
    if tenant not in operators_tenants(who, settings):
        raise Problem(403, "not_allowed", "The caller is no operator of that tenant.")
    see(tenant)


def operators_tenants(who: Principal, settings: Settings) -> tuple[str, ...]:
    """The tenants in which they are an operator. Raises Problem 403 if there is none."""
    tenants = who.tenants("operator", settings.tenants)
    if not tenants:
        raise Problem(403, "not_allowed", "Deeds are an operator's.")
    return tenants

"""Erasure over HTTP: an admin erases, lets an erasure wait, places and releases legal holds, reads certificates."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.problems import Problem
from api.query.desk import Call
from api.query.formats import Page
from api.query.parameters import from_query, read
from ledger import legal_holds
from ledger.engine import Engine
from ledger.erasable import Blocked, Blocker
from ledger.erasures import kept_certificate, tenant_of_certificate
from ledger.operate import NoSuchWork
from ledger.walls import see
from runtime import four_eyes
from runtime.deeds import order
from runtime.erasing import Impossible, Wish, erase_person, plan_person, rehearse, withdraw_person
from settings import Settings

_Reason = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
Code = Literal["request", "withdrawn", "purpose-ended", "unlawful", "law", "error"]


class Erasing(BaseModel):
    """Whom, by pseudonym, and how. `do`: show what would go, erase, let it wait until it is allowed, take that back."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    tenant: str
    person: UUID
    reason: _Reason
    code: Code = "request"
    do: Literal["show", "erase", "plan", "withdraw"] = "show"
    skip_work: bool = False
    anyway: bool = False


class Holding(BaseModel):
    """Whom, by pseudonym. `release`: the hold to be released, by its id; a new one is placed without it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    tenant: str
    person: UUID
    reason: _Reason
    release: UUID | None = None


class CertificateAsked(BaseModel):
    """Which, by its id."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    certificate: UUID


class Erasures:
    """The calls. The process must be given store.keeper_url and the key that signs, else they say so."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine

    async def erase(self, call: Call) -> Response:
        """Shows or does it."""
        asked = read(Erasing, call.body)
        self._may(call, asked.tenant)
        wish = Wish(
            asked.tenant, asked.person, call.principal.actor, asked.code, asked.reason.strip(),
            asked.skip_work, asked.anyway,
        )  # fmt: skip
        try:
            return Page(await self._do(asked, wish, call))
        except Blocked as wrong:
            if any(b.obstacle == "unknown" for b in wrong.blockers):
                raise Problem(409, "nothing_to_do", "There is no such person in that tenant.") from None
            raise Problem(409, "in_the_way", str(wrong)) from None
        except NoSuchWork as wrong:
            raise Problem(409, "nothing_to_do", str(wrong)) from None
        except Impossible as wrong:
            raise Problem(503, "cannot_erase", str(wrong)) from None

    async def _do(self, asked: Erasing, wish: Wish, call: Call) -> dict[str, object]:
        said: dict[str, object] = {"do": asked.do, "tenant": wish.tenant, "person": wish.subject}
        match asked.do:
            case "show":
                found = await rehearse(self._settings, wish)
                return said | {
                    "would_remove": {r.what: r.count for r in found.removed},
                    "in_the_way": [asdict(b) for b in found.standing.blockers],
                    "linked": list(found.standing.linked),
                }
            case "erase" | "plan" if four_eyes.wants_another(self._settings, wish.tenant, four_eyes.ERASE):
                return said | await self._ask(asked, wish)
            case "erase":
                # Who hangs up must not end it between the list and the store.
                temporal = call.request.app.state.temporal
                done = await asyncio.shield(erase_person(self._settings, wish, temporal))
                return said | {
                    "certificate": done.id,
                    "note": done.erased.certificate,
                    "list": done.erased.place.number if done.erased.place else None,
                    "secret": done.secret,
                    "temporal": done.temporal,
                }
            case "plan":
                planned = await plan_person(self._settings, wish)
                return said | {"planned": planned.id, "due": planned.due, "secret": planned.secret}
            case "withdraw":
                await withdraw_person(self._settings, wish)
                return said

    async def _ask(self, asked: Erasing, wish: Wish) -> dict[str, object]:
        """Asks for it, if nothing is in the way now. Raises Blocked."""
        found = await rehearse(self._settings, wish)
        if found.standing.blockers or asked.do == "plan":
            own = Blocker("work", "this tenant wants another person: ask for it once nothing is in the way")
            raise Blocked(found.standing.blockers or [own])
        waits = await four_eyes.request(
            self._engine.begin, four_eyes.ERASE, wish.actor, wish.reason, wish.tenant, wish.parameters(), 1
        )
        return {"requested": waits.id, "expires_at": waits.expires_at}

    async def hold(self, call: Call) -> Response:
        """Places a legal hold, or releases one."""
        asked = read(Holding, call.body)
        self._may(call, asked.tenant)
        deed = "legal hold" if asked.release is None else "hold released"
        ordered = order(
            deed, call.principal.actor, asked.reason.strip(), tenant=asked.tenant, subject=asked.person
        )
        try:
            async with self._engine.begin() as connection:
                if asked.release is None:
                    await legal_holds.place(connection, ordered)
                else:
                    await legal_holds.release(connection, ordered, asked.release)
        except NoSuchWork:
            words = "There is no such person, or no such hold that stands."
            raise Problem(409, "nothing_to_do", words) from None
        return Page({"deed": deed, "hold": asked.release or ordered.new_id, "tenant": asked.tenant})

    async def certificate(self, call: Call) -> Response:
        """The signed note, if it is of a tenant that the caller may see."""
        asked = read(CertificateAsked, from_query(call.request.query_params))
        tenants = call.principal.tenants("auditor", self._settings.tenants)
        async with self._engine.connect() as connection:
            tenant = await tenant_of_certificate(connection, asked.certificate)
            note = await kept_certificate(connection, asked.certificate) if tenant in tenants else None
        if note is None:
            raise Problem(404, "no_certificate", "There is no such certificate.")
        return Page({"certificate": asked.certificate, "tenant": tenant, "note": note})

    def _may(self, call: Call, tenant: str) -> None:
        if tenant not in call.principal.tenants("admin", self._settings.tenants):
            raise Problem(403, "not_allowed", "The caller is no admin of that tenant.")
        see(tenant)

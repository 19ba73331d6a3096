"""Writes a missed fact into the ledger, as a delivery of the hook that should have told it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from activities._planning import Planner
from hooks import by_name
from hooks.facts import fact_of, platform_id
from hooks.hook import Hook
from hooks.secrets import TooDeep, cut
from ledger.engine import Pool
from ledger.known import Known
from ledger.receive import Delivery, Person, Planned, Receipt, receive
from rules.normal import normal, unique_values
from runtime.reconcile.compare import Finding, Missed, login_of
from runtime.workflow_id import workflow_id
from settings import Settings

Json = dict[str, Any]

ACTOR = "reconcile"
INCIDENT = "incident"
_HOOKS = {Missed.CREATE: "postCreateUser", Missed.CHANGE: "postUpdateUser", Missed.REMOVAL: "postUpdateUser"}


class Unstorable(Exception):
    """The person's record cannot be kept: too deep, or with values that text cannot hold."""


@dataclass(frozen=True)
class Recorder:
    """Writes for one tenant. Without `run_activities` only the ledger's own bookkeeping follows a missed fact."""

    settings: Settings
    name: str
    pool: Pool
    planner: Planner
    version: str
    actor: str
    run_activities: bool

    def kept(self, user: Json) -> Json:
        """The user without secrets. Raises Unstorable."""
        try:
            without = cut(user, self.settings.api.max_depth)
            json.dumps(without, ensure_ascii=False).encode()
        except (TooDeep, UnicodeEncodeError, RecursionError):
            raise Unstorable from None
        return without

    async def fact(
        self, finding: Finding, user: Json, known: Known | None, evidence: str
    ) -> tuple[UUID, Receipt]:
        """Records it; gives the receipt. `user` is the person's whole record, as it is kept. Raises Unstorable."""
        hook = by_name()[_HOOKS[finding.missed].lower()]
        tenant = self.settings.tenants[self.name]
        told = {"missed": finding.missed, "attributes": finding.attributes, "evidence": evidence}
        delivery = Delivery(
            id=uuid7(),
            tenant=self.name,
            hook=hook.name,
            verdict=finding.missed,
            body=_text({"request": {"user": user}, "reconciled": told}),
            actor=self.actor,
            acting_for=None,
            code_version=self.version,
            rules_hash=ACTOR,
            person=self._person(finding.missed, user, known),
            creates=hook.creates,
            # Who was removed is not renamed: the login may be another person's by now.
            fact=finding.missed is not Missed.REMOVAL,
            identity=fact_of(user),
            values=sorted(unique_values(user, tenant.unique, tenant.region)),
            confirms=list(hook.confirms) or None,
            work=self._work(hook, user),
        )
        try:
            return delivery.id, await receive(self.pool, delivery)
        except (asyncpg.DataError, asyncpg.ProgramLimitExceededError):
            raise Unstorable from None

    async def incident(self, told: Json) -> UUID:
        """Writes that a run stopped before its removals. `told` names nobody."""
        delivery = Delivery(
            id=uuid7(),
            tenant=self.name,
            hook=ACTOR,
            verdict=INCIDENT,
            body=_text({"request": told}),
            actor=self.actor,
            acting_for=None,
            code_version=self.version,
            rules_hash=ACTOR,
        )
        await receive(self.pool, delivery)
        return delivery.id

    def _person(self, missed: Missed, user: Json, known: Known | None) -> Person:
        subject = uuid7()
        if missed is Missed.REMOVAL and known is not None:
            # "" is nobody's login: a person whose login was given on is found by id alone.
            return Person(known.login or "", known.platform_id, subject, str(subject))
        login = login_of(user) or ""
        region = self.settings.tenants[self.name].region
        shown = login if self.settings.temporal.show_login else None
        return Person(
            login=normal("login", login, user, region) or "",
            platform_id=platform_id(user),
            new_subject=subject,
            new_workflow=workflow_id(self.name, shown, subject),
        )

    def _work(self, hook: Hook, user: Json) -> Sequence[Planned]:
        work = self.planner.plan(hook, {"user": user}, self.name)
        return work if self.run_activities else [w for w in work if self.planner.only_bookkeeping([w])]


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

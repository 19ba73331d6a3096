"""What operators do to work and people: done and recorded in the store, then the person is rung."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from uuid import UUID

from commands.ending import stop
from commands.output import console
from commands.requested import say_asked
from ledger.engine import Connection
from ledger.named import Named, find_people
from ledger.operate import Deed, Done, NoSuchWork, Order, operate, release_brake
from ledger.visit import OutOfReach, visit
from rules.normal import login
from runtime import four_eyes
from runtime.deeds import order, ring_after
from runtime.os_user import os_user
from settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deeds:
    """One operator's command. `actor` None is the user of this machine, `os:NAME`."""

    settings: Settings
    reason: str
    actor: str | None = None

    async def on_work(
        self, deed: Deed, delivery: str, activity: str | None, tenant: str | None = None
    ) -> None:
        """Redrives or skips the work of one delivery, or one activity of it."""
        try:
            id_ = UUID(delivery)
        except ValueError:
            stop(f"{delivery} is no receipt id: copy it from ./hookledger failures or ledger search")
        ordered = self._order(deed, delivery=id_, activity=activity, tenant=tenant)
        done = await self._done(lambda connection: operate(connection, ordered))
        words = {"redrive": "to run again", "skip": "skipped"}[deed]
        console().print(f"{done.count} {'piece' if done.count == 1 else 'pieces'} of work {words}")
        await self._ring(done)

    async def on_person(self, deed: Deed, user: str, tenant: str | None) -> None:
        """Pauses or resumes everything of one person."""
        names = {user, login(user)}
        person = self._only(user, await self._done(lambda c: find_people(c, names, tenant)))
        ordered = self._order(deed, subject=person.subject, tenant=person.tenant)
        done = await self._done(lambda connection: operate(connection, ordered))
        console().print(f"{user} of {done.tenant} is {deed}d", markup=False)
        if deed == "resume":
            await self._ring(done)

    async def release(self, tenant: str) -> None:
        """Lets runDeprovision answer true again."""
        if tenant not in self.settings.tenants:
            stop(f"no tenant {tenant}; configured are {', '.join(self.settings.tenants)}")
        ordered = self._order("release brake", tenant=tenant)
        if four_eyes.wants_another(self.settings, tenant, four_eyes.BRAKE):
            begin = partial(visit, self.settings.store)
            try:
                asked = await four_eyes.request(
                    begin, four_eyes.BRAKE, ordered.actor, ordered.reason, tenant, {}, 1
                )
            except OutOfReach as wrong:
                stop(f"nothing was done: {wrong}")
            say_asked(asked, as_object=False)
            return
        await self._done(lambda connection: release_brake(connection, ordered))
        console().print(f"the brake of {tenant} is off: runDeprovision is answered as configured again")

    def _order(
        self,
        deed: Deed,
        *,
        tenant: str | None = None,
        delivery: UUID | None = None,
        activity: str | None = None,
        subject: UUID | None = None,
    ) -> Order:
        if not self.reason.strip():
            stop("--reason is empty: an auditor will read it")
        actor = self.actor or os_user()
        return order(
            deed,
            actor,
            self.reason.strip(),
            tenant=tenant,
            delivery=delivery,
            activity=activity,
            subject=subject,
        )

    async def _done(self, deed: Callable[[Connection], Awaitable[T]]) -> T:
        try:
            async with visit(self.settings.store) as connection:
                return await deed(connection)
        except (OutOfReach, NoSuchWork) as wrong:
            stop(f"nothing was done: {wrong}")

    def _only(self, user: str, people: list[Named]) -> Named:
        if not people:
            stop(f"nobody is known as {user}: give a login, the platform's id or a pseudonym of the ledger")
        if len(people) > 1:
            listed = ", ".join(f"{p.subject} of {p.tenant}" for p in people)
            stop(f"{user} names several people: choose with --tenant, or by pseudonym: {listed}")
        return people[0]

    async def _ring(self, done: Done) -> None:
        """The store is the truth: a ring that fails is one that the sweep makes good."""
        if words := await ring_after(self.settings, done):
            console().print(words)

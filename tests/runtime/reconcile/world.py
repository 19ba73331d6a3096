"""A tenant, the platform it is reconciled with, and what hooks have told of its people."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.simulate.platform import Users, serving
from hooks.facts import fact_of
from ledger.engine import Pool, open_pool
from ledger.receive import Receipt, receive
from rules.normal import login, unique_values
from runtime.reconcile.tally import Difference
from runtime.reconcile.tenant import reconcile
from settings import Settings, Store
from tests.support import delivery, rows, write_configuration
from workflows.reconcile import Summary

Json = dict[str, Any]

OTHER = """
[tenants.as200.token]
keys = [{ secret = { file = "fingerprint.key" } }]
[tenants.as200.deprovision]
answer = "never"
"""


def user(number: int, **changes: Any) -> Json:
    """A user as the platform holds them."""
    name = f"person{number}.example"
    whole: Json = {
        "id": f"66aa{number:020x}",
        "login": name,
        "firstName": "Asha",
        "lastName": "Example",
        "email": f"{name}@example.com",
        "mobile": f"90000{number:05d}",
        "department": "Finance",
        "status": "ACTIVE",
        "version": 1,
        "attributes": {"costCentre": "CC-10"},
    }
    return whole | changes


@dataclass
class World:
    """What a test works with. `users` is the platform's side, the store is ours."""

    settings: Settings
    pool: Pool
    users: Users
    found: list[Difference] = field(default_factory=list[Difference])
    name: str = "as100"

    async def tell(self, told: Json, hook: str = "postCreateUser", tenant: str | None = None) -> Receipt:
        """A fact, as the hook tells it."""
        tenant = tenant or self.name
        configured = self.settings.tenants[tenant]
        return await receive(
            self.pool,
            delivery(
                login(told["login"]),
                hook,
                tenant=tenant,
                platform_id=told.get("id"),
                creates=hook == "postCreateUser",
                fact=True,
                identity=fact_of(told),
                values=sorted(unique_values(told, configured.unique, configured.region)),
                body=json.dumps({"request": {"user": told}}),
            ),
        )

    async def both(self, *users: Json) -> None:
        """People whom the platform has and of whom we were told."""
        self.users.put(*users)
        for one in users:
            await self.tell(one)

    def configure(self, **changes: Any) -> None:
        """Changes the tenant's `[platform]`."""
        tenant = self.settings.tenants[self.name]
        assert tenant.platform is not None
        platform = tenant.platform.model_copy(update=changes)
        tenants = self.settings.tenants | {self.name: tenant.model_copy(update={"platform": platform})}
        self.settings = self.settings.model_copy(update={"tenants": tenants})

    async def reconcile(self, tenant: str | None = None, **options: Any) -> Summary:
        """One run, patient for milliseconds; what it found is kept."""
        self.found.clear()
        return await reconcile(
            self.settings, tenant or self.name, found=self.found.append, first_wait=0.001, **options
        )

    async def entries(self, tenant: str | None = None) -> list[tuple[str, str, str]]:
        """Hook, outcome and actor of what reconciliation wrote, in order."""
        found = await rows(
            self.pool,
            "SELECT hook, outcome, actor FROM entries WHERE tenant = $1 AND rules_hash = 'reconcile' ORDER BY id",
            tenant or self.name,
        )
        return [(row["hook"], row["outcome"], row["actor"]) for row in found]

    async def known(self, login_: str) -> Json:
        """What is known of a person now."""
        [row] = await rows(
            self.pool,
            "SELECT b.body, i.left_at, i.status FROM handles h JOIN identities i ON i.subject = h.subject "
            "JOIN bodies b ON b.delivery = i.delivery WHERE h.kind = 'login' AND h.until IS NULL AND h.value = $1",
            login_,
        )
        return {"user": json.loads(row["body"])["request"]["user"], "left": row["left_at"] is not None}


def configuration(url: str, more: str = "") -> str:
    """`[tenants.as100.platform]`, with nothing to wait for."""
    return f'[tenants.as100.platform]\nurl = "{url}"\ntoken = {{ file = "api.token" }}\nsettle = 0\ntimeout = 5\n{more}\n'


@asynccontextmanager
async def world(
    directory: Path, store: Store, more: str = "", extra: Callable[[str], str] = lambda _: ""
) -> AsyncGenerator[World]:
    """A world whose tenant's `[platform]` has `more`; `extra` makes more TOML from the platform's address."""
    users = Users()
    async with serving(users) as url:
        (directory / "api.token").write_text("good-token\n")
        settings = write_configuration(directory, store, configuration(url, more) + extra(url))
        pool = await open_pool(store, "test")
        try:
            yield World(settings, pool, users)
        finally:
            await pool.close()

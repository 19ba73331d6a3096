"""Somebody to be erased: a person whose every name and value is a word that stands nowhere else in the store."""

import base64
import json
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from ledger.engine import Pool, open_pool
from ledger.plan import Plan, Ref
from ledger.receive import Delivery, Fact, Person, Planned, Stem, Wish, plan_text, receive
from ledger.visit import visit
from ledger.work import Ending, claim, settle
from runtime.workflow_id import workflow_id
from settings import Settings, Store
from tests.commands.databases import database
from tests.conftest import TEMPLATE
from tests.support import Servers, delivery, rows, write_configuration

LOGIN, ID = "zsentinel-login", "zsentinel-id"
SENTINEL = "zsentinel"
"""Every value of the person has it, in some case."""
_USER = {
    "login": LOGIN,
    "id": ID,
    "email": "Zsentinel@example.com",
    "firstName": "ZSENTINEL",
    "manager": None,
}
_VALUES = (("email", "zsentinel@example.com"), ("login", LOGIN), ("mobile", "zsentinel-mobile"))
EXTRA = """
[ledger]
legal_floor = "{floor}"
[ledger.seal]
origin = "example.com/ledger"
keys = [{{ name = "first", secret = {{ file = "seal.key" }} }}]
[ledger.erasures]
folder = "erasures"
[ledger.copies]
wal = "7d"
backups = "35d"
"""


@dataclass(frozen=True)
class World:
    """A store of a test's own, and the person in it."""

    settings: Settings
    pool: Pool
    root: Pool

    async def subject(self, login: str = LOGIN) -> UUID:
        """Whom the login names now."""
        found = await self.pool.fetchval(
            "SELECT subject FROM handles WHERE value = $1 AND kind = 'login' AND until IS NULL", login
        )
        assert found is not None
        return found

    async def everything(self) -> dict[str, str]:
        """Every table as text, as a dump would have it."""
        tables = await rows(
            self.root,
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace",
        )
        return {
            t["relname"]: str(
                await self.root.fetchval(f'SELECT string_agg(x::text, chr(10)) FROM "{t["relname"]}" AS x')
            )
            for t in tables
        }

    async def tables_that_name_them(self, word: str = SENTINEL) -> set[str]:
        """Whose text has the word, in any case, also as the bytes of a bytea."""
        words = (word.lower(), word.lower().encode().hex())
        return {
            name for name, text in (await self.everything()).items() if any(w in text.lower() for w in words)
        }


@asynccontextmanager
async def world(servers: Servers, directory: Path, floor: str = "0d") -> AsyncGenerator[World]:
    """A store of its own, with list and keys."""
    async with database(servers, TEMPLATE) as store, of_store(servers, store, directory, floor) as made:
        yield made


@asynccontextmanager
async def of_store(
    servers: Servers, store: Store, directory: Path, floor: str = "0d"
) -> AsyncGenerator[World]:
    """The same on a store that is there."""
    name = store.url.rpartition("/")[2]
    store = store.model_copy(update={"keeper_url": servers.url("hookledger_keeper", name)})
    (directory / "seal.key").write_text(base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("="))
    settings = write_configuration(directory, store, EXTRA.format(floor=floor))
    pool = await open_pool(settings.store, "test")
    root = await open_pool(Store(url=servers.url("postgres", name), statement_timeout=30), "test")
    try:
        yield World(settings, pool, root)
    finally:
        await pool.close()
        await root.close()


def told(hook: str, login: str = LOGIN, id_: str | None = ID, **changes: Any) -> Delivery:
    """A delivery about the person."""
    subject = uuid.uuid4()
    person = Person(login, id_, subject, workflow_id("as100", login, subject))
    body = json.dumps({"request": {"user": _USER | {"login": login}}})
    return delivery(login, hook, person=person, body=body, values=_VALUES, **changes)


async def fill(world: World) -> None:
    """The person in every table that may name somebody; somebody else beside them."""
    pool = world.pool
    await receive(
        pool,
        delivery(
            "bystander",
            "postCreateUser",
            platform_id="bystander-id",
            values=[("login", "bystander")],
            fact=True,
            identity=Fact("LEFT", True, False, 1, None),
        ),
    )
    namings = [Stem("Zsentinel", "@x", "zsentinel", "@x")]
    namesake = delivery("namesake", "validateUser", verdict="passed", check="create", hold=timedelta(minutes=10),
                        wishes=[Wish("n", "mail", tuple(namings), None)])  # fmt: skip
    await receive(pool, namesake)
    await receive(pool, told("validateUser", verdict="passed", creates=True, check="create", hold=timedelta(minutes=10),
                             wishes=[Wish("n", "mail", tuple(namings), None)], patch='{"firstName": "Zsentinel"}'))  # fmt: skip
    await receive(pool, told("postCreateUser", fact=True, identity=Fact("ACTIVE", False, False, 1, None)))
    mail = Planned("mail", "mail", plan_text(Plan()), timedelta(0), waits=False)
    failing = told("postUpdateUser", fact=True, identity=Fact("ACTIVE", True, False, 2, None), work=[mail],
                   sealed=SENTINEL.encode(), sealed_for=timedelta(days=1))  # fmt: skip
    await receive(pool, failing)
    async with visit(world.settings.store) as connection:
        ref = Ref(str(failing.id), "mail")
        await claim(connection, [ref], lease=30)
        await settle(connection, [Ending(ref, 1, "failed", fault="550 zsentinel@example.com")], "test")
    await receive(
        pool, told("validateUpdateUser", verdict="passed", check="update", hold=timedelta(minutes=10))
    )
    await receive(pool, told("postProvision", application="hr"))
    await receive(
        pool,
        delivery("", "unknown", person=None, body=json.dumps({"request": {"x": [LOGIN.upper(), SENTINEL]}})),
    )
    # The namesake is gone, so that who has the word now is the person alone; the count of namesakes stays behind.
    for table in ("names", "holds"):
        await world.root.execute(f"DELETE FROM {table} WHERE delivery = $1", namesake.id)
    subject = await world.subject()
    await pool.execute(
        "INSERT INTO entitlements (tenant, subject, application, role, state, uid, since, opened_by)"
        " VALUES ('as100', $1, 'hr', '', 'granted', 'zsentinel', now(), $2)",
        subject,
        failing.id,
    )
    await pool.execute(
        "INSERT INTO rings (subject, rung_at) VALUES ($1, now()) ON CONFLICT DO NOTHING", subject
    )

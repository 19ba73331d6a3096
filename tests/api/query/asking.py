"""The listener of questions on loopback, and keys to ask it with."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from api.query.app import make_query_app
from ledger import key_text
from ledger.keys import Key, NewKey, make_key
from ledger.visit import visit
from runtime.deeds import order
from settings import Settings, Store
from settings.query import Role
from tests.api.edge import serving
from tests.support import write_configuration

TWO_TENANTS = """
[tenants.as200.token]
keys = [{ secret = { file = "as200.key" } }]
[tenants.as200.deprovision]
answer = "always"
"""


def configure(directory: Path, store: Store, query: str = "") -> Settings:
    """Tenants as100 and as200; `query` is the whole table `[query]`."""
    (directory / "as200.key").write_text(f"as200 {'k' * 48}")
    return write_configuration(directory, store, f"[query]\n{query}\n{TWO_TENANTS}")


@dataclass(frozen=True)
class Desk:
    """A listening query API."""

    settings: Settings
    port: int
    http: httpx.AsyncClient
    app: FastAPI

    async def get(self, path: str, bearer: str | None = None, /, **parameters: Any) -> httpx.Response:
        """Asks; `accept` and other headers with _ go into the header."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        if accept := parameters.pop("accept", None):
            headers["Accept"] = accept
        return await self.http.get(path, headers=headers, params=parameters)

    async def post(self, path: str, bearer: str | None, /, **body: Any) -> httpx.Response:
        """Does."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return await self.http.post(path, headers=headers, json=body)


@asynccontextmanager
async def listen(settings: Settings) -> AsyncGenerator[Desk]:
    """Serves a configuration until the block ends."""
    app = make_query_app(settings)
    async with serving(app, settings.query) as port:
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(trust_env=False, timeout=20, base_url=base) as http:
            yield Desk(settings, port, http, app)


async def make(
    settings: Settings,
    role: Role,
    tenant: str | None = None,
    life: timedelta = timedelta(days=1),
    reason: str = "a test",
) -> tuple[str, Key]:
    """A key, and what is kept of it."""
    text = key_text.make()
    async with visit(settings.store) as connection:
        new = NewKey(text, role, tenant, f"test of {role}", life)
        key = await make_key(
            connection, new, settings.tenants, lambda t: order("key made", "os:tester", reason, tenant=t)
        )
    return text.text, key

"""The listener of questions on loopback, and keys to ask it with."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from api.query.app import make_query_app
from ledger import key_text
from ledger.keys import Key, NewKey, make_key
from ledger.visit import visit
from runtime.deeds import order
from settings import Settings, Store
from settings.query import Role
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


class _Server(uvicorn.Server):
    """Leaves the test run's own signal handlers alone."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


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
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    app = make_query_app(settings)
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            lifespan="on",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=5,
        )
    )
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        assert not serving.done(), "the listener did not start"
        await asyncio.sleep(0.01)
    try:
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(trust_env=False, timeout=20, base_url=base) as http:
            yield Desk(settings, port, http, app)
    finally:
        server.should_exit = True
        await serving


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

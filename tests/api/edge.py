"""The real edge on loopback: the app under uvicorn, a client that signs, and everything that was logged."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from api.app import make_app
from api.auth import mint
from api.listening import Listener, configured
from api.routes import HookPaths
from ledger.engine import Pool
from settings import Settings, Store
from tests.support import rows, write_configuration


class _Server(uvicorn.Server):
    """Leaves the test run's own signal handlers alone."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@dataclass(frozen=True)
class Edge:
    """A listening edge. `http` follows no redirects and sends nothing that it is not told to."""

    settings: Settings
    port: int
    http: httpx.AsyncClient
    app: HookPaths
    minted: set[str] = field(default_factory=set[str])

    def token(self, tenant: str = "as100") -> str:
        """A fresh token of a tenant; remembered, so that it can be looked for where it must not be."""
        token = mint(tenant, self.settings)
        self.minted.add(token)
        return token

    def headers(self, tenant: str = "as100", **more: str) -> dict[str, str]:
        """What the platform sends; `more` with - for _."""
        given = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self.token(tenant)}", "Content-Type": "application/json"} | given

    async def send(
        self, path: str, body: str | bytes, tenant: str = "as100", **headers: str
    ) -> httpx.Response:
        """Posts bytes to a path as it is written, doubled slashes and all."""
        content = body.encode() if isinstance(body, str) else body
        return await self.http.post(
            _raw(self.port, path), content=content, headers=self.headers(tenant, **headers)
        )

    async def hook(self, name: str, request: Any, tenant: str = "as100", **headers: str) -> httpx.Response:
        """Posts `{"request": …}` to a hook."""
        whole = httpx.Request("POST", "http://x", json={"request": request}).content
        return await self.send(f"{self.settings.api.prefix}/{name}", whole, tenant, **headers)

    async def answer(self, name: str, request: Any, tenant: str = "as100", **headers: str) -> Any:
        """What stands under `response` of an answer that must be 200."""
        got = await self.hook(name, request, tenant, **headers)
        assert got.status_code == 200, got.text
        assert list(got.json()) == ["response"]
        return got.json()["response"]


def _raw(port: int, path: str) -> httpx.URL:
    return httpx.URL(f"http://127.0.0.1:{port}").copy_with(raw_path=path.encode())


@asynccontextmanager
async def serving(app: ASGIApp, listener: Listener) -> AsyncGenerator[int]:
    """Serves an application as in production, on any port, until the block ends; then drains."""
    # With its protocol named: asyncio sends small packets at once only on sockets that it knows to be TCP.
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.bind(("127.0.0.1", 0))
    port = opened.getsockname()[1]
    server = _Server(configured(app, listener))
    serving = asyncio.create_task(server.serve([opened]))
    while not server.started:
        assert not serving.done(), "the edge did not start"
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def listen(settings: Settings) -> AsyncGenerator[Edge]:
    """Serves the hooks of a configuration until the block ends."""
    app = make_app(settings)
    async with serving(app, settings.api) as port, httpx.AsyncClient(trust_env=False, timeout=10) as http:
        yield Edge(settings, port, http, app)


def configure(
    directory: Path,
    store: Store,
    *tenants: str,
    tenant: str = "",
    api: str = "",
    rules: str | None = None,
    deprovision: str = "always",
) -> Settings:
    """A configuration with as100 (`tenant` and `rules` are more of it) and further tenants, each with a key of its own."""
    extra = [f"[api]\n{api}"]
    for name in tenants:
        (directory / f"{name}.key").write_text(f"{name} {'k' * 48}")
        extra.append(
            f'[tenants.{name}.token]\nkeys = [{{ secret = {{ file = "{name}.key" }} }}]\n'
            f'[tenants.{name}.deprovision]\nanswer = "always"\n[tenants.{name}.rules]\nmode = "on"'
        )
    return write_configuration(directory, store, "\n".join(extra), tenant, rules, deprovision)


class Logged(logging.Handler):
    """Collects what a process would write to its log: our own lines from INFO up, libraries' from WARNING."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps the line with all that a formatter could show of it."""
        self.lines.append(logging.Formatter("%(name)s %(message)s").format(record))


@contextlib.contextmanager
def logged() -> Generator[Logged]:
    """Collects logs while the block runs."""
    handler, root = Logged(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


async def written(pool: Pool, condition: str, *values: Any, least: int = 1) -> list[Mapping[str, Any]]:
    """The refusals that meet a condition, once there are so many: they are written down once a second."""
    found: list[Mapping[str, Any]] = []
    for _ in range(100):
        found = await rows(pool, f"SELECT * FROM refusals WHERE {condition}", *values)
        if len(found) >= least:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"{len(found)} refusals were written down, not {least}")

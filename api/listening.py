"""Runs an application under uvicorn on a configured address, and drains it on SIGTERM."""

import asyncio
import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn, Protocol

import uvicorn
import uvloop
from starlette.types import ASGIApp

from runtime.shutdown import leave, stop_event
from settings import Tls

log = logging.getLogger(__name__)

_GRACE = 10
"""Seconds for calls under way after SIGTERM."""


class Listener(Protocol):
    """The part of a table of the configuration that says where to listen."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def tls(self) -> Tls | None: ...
    @property
    def forwarded_allow_ips(self) -> str: ...


class Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again after draining, and end with their number."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def configured(
    app: ASGIApp, listener: Listener, host: str | None = None, port: int | None = None
) -> uvicorn.Config:
    """How it listens; `host` and `port` go before what is configured."""
    return uvicorn.Config(
        app,
        host=host or listener.host,
        port=listener.port if port is None else port,
        http="httptools",
        lifespan="on",
        access_log=False,
        server_header=False,
        log_config=None,
        log_level="warning",
        proxy_headers=True,
        forwarded_allow_ips=listener.forwarded_allow_ips,
        ssl_certfile=listener.tls.certificate if listener.tls else None,
        ssl_keyfile=listener.tls.key if listener.tls else None,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=30,
        backlog=2048,
    )


def run(server: Server, name: str) -> NoReturn:
    """Listens until SIGTERM or SIGINT; calls under way are answered. Ends the process."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_stopped(server, name))
    leave(0 if server.started else 3)
    raise AssertionError("a process that left goes on")


async def _until_stopped(server: Server, name: str) -> None:
    stop = asyncio.create_task(stop_event().wait())
    serving = asyncio.create_task(server.serve())
    await asyncio.wait({stop, serving}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    stop.cancel()
    log.info("%s drained", name)

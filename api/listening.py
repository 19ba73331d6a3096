"""Runs an application under uvicorn on a configured address, and drains it on SIGTERM."""

import asyncio
import logging
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol

import uvicorn
import uvloop
from starlette.types import ASGIApp
from uvicorn.config import create_ssl_context

from api.handshakes import Handshakes
from api.patience import Bounded
from runtime.beside import beside
from runtime.erasures import Lacking, ListBroken, may_serve, until_compared
from runtime.shutdown import leave, stop_event
from settings import ConfigError, Settings, Tls

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
    @property
    def most_connections(self) -> int: ...


class Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again after draining, and end with their number."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def configured(
    app: ASGIApp, listener: Listener, host: str | None = None, port: int | None = None
) -> uvicorn.Config:
    """How it listens; `host` and `port` go before what is configured. Raises ConfigError."""
    return uvicorn.Config(
        app,
        host=host or listener.host,
        port=listener.port if port is None else port,
        http=_protocol(listener.tls),
        lifespan="on",
        access_log=False,
        server_header=False,
        log_config=None,
        log_level="warning",
        proxy_headers=True,
        forwarded_allow_ips=listener.forwarded_allow_ips,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=30,
        limit_concurrency=listener.most_connections,
        backlog=2048,
    )


def _protocol(tls: Tls | None) -> Any:
    """What uvicorn makes connections by; TLS is not left to it, as it bounds no handshake."""
    if tls is None:
        return Bounded
    try:
        context = create_ssl_context(
            tls.certificate,
            tls.key,
            password=None,
            ssl_version=ssl.PROTOCOL_TLS_SERVER,
            cert_reqs=ssl.CERT_REQUIRED if tls.client_ca else ssl.CERT_NONE,
            ca_certs=tls.client_ca,
            ciphers=None,
        )
    except OSError as wrong:  # an ssl.SSLError is one
        files = " and ".join(str(file) for file in (tls.certificate, tls.key, tls.client_ca) if file)
        raise ConfigError(
            f"tls: {files} cannot be used ({wrong.strerror}): give a certificate in PEM, its own key without a"
            " passphrase, and files that this process may read"
        ) from None
    return Handshakes(context, Bounded)


def run(server: Server, name: str, settings: Settings) -> NoReturn:
    """Listens until SIGTERM or SIGINT; calls under way are answered. Ends the process.

    Nothing is served from a store that lacks an erasure on the list outside it (docs/erase.md): exit code 3.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        may = runner.run(_until_stopped(server, name, settings))
    leave(0 if may and server.started else 3)
    raise AssertionError("a process that left goes on")


async def _until_stopped(server: Server, name: str, settings: Settings) -> bool:
    try:
        compared = await may_serve(settings)
    except (Lacking, ListBroken) as wrong:
        log.error("%s does not start: %s", name, wrong)
        return False
    stop = asyncio.create_task(stop_event().wait())
    serving = asyncio.create_task(server.serve())
    wrong = ""

    async def compare() -> None:
        """Hooks are taken while the list is out of reach; what it says when it is back ends the process."""
        nonlocal wrong
        if wrong := await until_compared(settings):
            log.error("%s ends: %s", name, wrong)
            server.should_exit = True

    async with beside({} if compared else {"list of erasures": compare}):
        await asyncio.wait({stop, serving}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    stop.cancel()
    log.info("%s drained", name)
    return not wrong

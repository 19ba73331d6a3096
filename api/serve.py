"""Runs the webhook listener under uvicorn, and drains it on SIGTERM."""

import asyncio
import logging
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
import uvloop

from api.app import make_app
from api.reloading import Reloading
from api.routes import HookPaths
from runtime.shutdown import leave, stop_event
from settings import Settings

log = logging.getLogger(__name__)

_GRACE = 10
"""Seconds for calls under way after SIGTERM."""


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again after draining, and end with their number."""

    def __init__(self, config: uvicorn.Config, app: HookPaths) -> None:
        super().__init__(config)
        self._hooks = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            Reloading(self._hooks.state.receiver).listen()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def serve(settings: Settings, host: str | None = None, port: int | None = None) -> None:
    """Listens until SIGTERM or SIGINT; calls under way are answered, waiting rings are rung. Ends the process."""
    api, app = settings.api, make_app(settings)
    server = _Server(
        uvicorn.Config(
            app,
            host=host or api.host,
            port=api.port if port is None else port,
            http="httptools",
            lifespan="on",
            access_log=False,
            server_header=False,
            log_config=None,
            log_level="warning",
            proxy_headers=True,
            forwarded_allow_ips=api.forwarded_allow_ips,
            ssl_certfile=api.tls.certificate if api.tls else None,
            ssl_keyfile=api.tls.key if api.tls else None,
            timeout_graceful_shutdown=_GRACE,
            timeout_keep_alive=30,
            backlog=2048,
        ),
        app,
    )
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there are rules to be loaded again
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_stopped(server))
    leave(0 if server.started else 3)


async def _until_stopped(server: uvicorn.Server) -> None:
    stop = asyncio.create_task(stop_event().wait())
    serving = asyncio.create_task(server.serve())
    await asyncio.wait({stop, serving}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    stop.cancel()
    log.info("api drained")

"""Runs the webhook listener; SIGHUP loads its rules again."""

import signal
import socket

from api.app import make_app
from api.listening import Server, configured, run
from api.reloading import Reloading
from api.routes import HookPaths
from settings import Settings


class _Reloaded(Server):
    """Takes SIGHUP from when it listens."""

    def __init__(self, app: HookPaths, settings: Settings, host: str | None, port: int | None) -> None:
        super().__init__(configured(app, settings.api, host, port))
        self._hooks = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            Reloading(self._hooks.state.receiver).listen()


def serve(settings: Settings, host: str | None = None, port: int | None = None) -> None:
    """Listens until SIGTERM or SIGINT; calls under way are answered, waiting rings are rung. Ends the process."""
    server = _Reloaded(make_app(settings), settings, host, port)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there are rules to be loaded again
    run(server, "api", settings)

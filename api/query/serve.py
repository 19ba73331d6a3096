"""Runs the listener on which the ledger is asked: a process of its own, so that no export slows an answer to a hook."""

import signal

from api.listening import Server, configured, run
from api.query.app import make_query_app
from settings import Settings


def serve(settings: Settings, host: str | None = None, port: int | None = None) -> None:
    """Listens until SIGTERM or SIGINT; calls under way are answered, for seconds. Ends the process."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nothing is loaded again here: it must not end by it
    run(Server(configured(make_query_app(settings), settings.query, host, port)), "query", settings)

"""Turns SIGTERM and SIGINT into an event, so that processes drain instead of dying."""

import asyncio
import contextlib
import os
import signal
import sys


def stop_event() -> asyncio.Event:
    """Set on the first SIGTERM or SIGINT; a second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop


def leave(code: int) -> None:
    """Ends the process after it has drained: the Temporal SDK can abort at interpreter finalisation."""
    with contextlib.suppress(BrokenPipeError):  # whoever read has gone
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

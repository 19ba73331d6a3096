"""The relays and the desk, on a thread of their own: the main thread starts processes and waits for them."""

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from chaos.desk import Desk
from chaos.relay import Relay


@dataclass
class Wires:
    """Everything that stands between the processes. To be touched by `do` only, once it runs."""

    balancer: Relay
    """Before the two apis."""
    store: Relay
    """Before Postgres."""
    temporal: tuple[Relay, Relay]
    """Before Temporal, one for each worker."""
    desk: Desk
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def do(self, deed: Callable[[], None]) -> None:
        """Does it on the thread that the wires run on."""
        done = threading.Event()

        def run() -> None:
            deed()
            done.set()

        self._loop.call_soon_threadsafe(run)
        done.wait(10)

    @contextmanager
    def running(self) -> Generator[None]:
        """Runs them until left."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)

    async def _listen(self) -> None:
        for part in (self.balancer, self.store, *self.temporal, self.desk):
            await part.listen()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.1))
        self._loop.close()

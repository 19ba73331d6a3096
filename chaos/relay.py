"""TCP relays between the processes, which can be cut or made slow, and the balancer in front of the apis."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

_CHUNK = 65_536


@dataclass
class Relay:
    """Hands connections on to the first target that takes one, each new one beginning with the next in turn.

    `delay` is in seconds, for each piece of data in each direction; a relay that is cut hangs up and takes nobody.
    """

    targets: Sequence[int]
    port: int = 0
    delay: float = 0.0
    _cut: bool = False
    _turn: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set[asyncio.StreamWriter])

    async def listen(self) -> None:
        """Begins to take connections on a port that is free."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    @contextlib.asynccontextmanager
    async def plugged(self) -> AsyncGenerator[int]:
        """Takes connections while the block runs, on the port given."""
        await self.listen()
        try:
            yield self.port
        finally:
            await self.close()

    async def close(self) -> None:
        """Hangs up for good."""
        self.cut()
        if self._server is not None:
            self._server.close()
            await asyncio.sleep(0.05)

    def cut(self) -> None:
        """Hangs up on everybody, and on whoever calls until mended."""
        self._cut = True
        for writer in list(self._open):
            writer.transport.abort()

    def mend(self) -> None:
        """Takes connections again."""
        self._cut = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = None if self._cut else await self._connect()
        if there is None:
            writer.transport.abort()
            return
        onward, back = there[1], there[0]
        self._open |= {writer, onward}
        try:
            await asyncio.gather(self._pump(reader, onward), self._pump(back, writer))
        finally:
            self._open -= {writer, onward}
            for end in (writer, onward):
                end.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        self._turn += 1
        for place in range(len(self.targets)):
            target = self.targets[(self._turn + place) % len(self.targets)]
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", target)
        return None

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        # A half that has ended ends the whole: nobody here speaks half-closed.
        writer.close()

"""The other system that the activities call: it remembers every call, also one that it has had before."""

import asyncio
import contextlib
import time
from collections import defaultdict
from dataclasses import dataclass, field

_ANSWER = b"HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n"


@dataclass
class Desk:
    """Calls by their idempotency key: when each came, in seconds since the epoch."""

    port: int = 0
    calls: dict[str, list[float]] = field(default_factory=lambda: defaultdict[str, list[float]](list))

    async def listen(self) -> None:
        """Begins to take calls on a port that is free."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                for line in head.split(b"\r\n"):
                    name, _, value = line.partition(b":")
                    if name.lower() == b"idempotency-key":
                        self.calls[value.strip().decode()].append(time.time())
                writer.write(_ANSWER)
                await writer.drain()
        writer.close()

"""TLS under uvicorn, with bounds that it lacks: on how long a handshake may take, and how many are under way."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, cast

HANDSHAKE_WITHIN = 10.0
"""Seconds, as for a head."""
MOST_HANDSHAKES = 128
"""At a time. A usual one takes milliseconds: for one more, that which takes longest is hung up on."""

Make = Callable[[], asyncio.BaseProtocol]


class Handshakes:
    """What uvicorn makes a protocol by: connections come plain, and are the protocol's once they are under TLS."""

    def __init__(self, context: ssl.SSLContext, protocol: Callable[..., asyncio.BaseProtocol]) -> None:
        self._context = context
        self._protocol = protocol
        self._under_way: dict[asyncio.Task[None], socket.socket] = {}

    def __call__(self, **given: Any) -> asyncio.Protocol:
        """For a connection just accepted."""
        return _Plain(self, partial(self._protocol, **given))

    def begin(self, line: socket.socket, make: Make) -> None:
        """On a socket from which nothing was read."""
        if len(self._under_way) >= MOST_HANDSHAKES:
            self._end_longest()
        task = asyncio.create_task(self._shake(line, make))
        self._under_way[task] = line
        task.add_done_callback(lambda ended: self._under_way.pop(ended, None))

    def _end_longest(self) -> None:
        longest = next(iter(self._under_way))
        line = self._under_way.pop(longest)
        longest.add_done_callback(lambda _: line.close())
        longest.cancel()

    async def _shake(self, line: socket.socket, make: Make) -> None:
        # An OSError is: no TLS was spoken, or not in time, or with no certificate that we take.
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(
                make, line, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_WITHIN
            )


class _Plain(asyncio.Protocol):
    """Gives its socket away before anything is read: `start_tls` could miss the caller's first words."""

    def __init__(self, handshakes: Handshakes, make: Make) -> None:
        self._handshakes = handshakes
        self._make = make

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio.Protocol."""
        accepted = transport.get_extra_info("socket")
        try:
            line = socket.fromfd(accepted.fileno(), accepted.family, accepted.type, accepted.proto)
        except OSError:  # no file is left for it
            return
        finally:
            cast("asyncio.Transport", transport).abort()
        self._handshakes.begin(line, self._make)

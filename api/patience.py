"""HTTP as uvicorn speaks it, with bounds that it lacks: how long a head may be, and how long it may take to come."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LONGEST_HEAD = 65_536
"""Octets of a request line with its headers. The platform's have about 700."""
HEAD_WITHIN = 10.0
"""Seconds in which a head must be there, from the connection or from the first octet of a later call."""


class Bounded(HttpToolsProtocol):
    """Hangs up on who does not come to the end of a head. How long a body may take is the receiver's deadline."""

    _in_head = True
    _octets = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Of asyncio.Protocol."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(HEAD_WITHIN, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio.Protocol."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Of asyncio.Protocol."""
        self._octets += len(data)
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            if self._octets > LONGEST_HEAD:
                self.send_400_response("The head of the call is too long.")
            elif self._timer is None and self._octets:
                self._timer = self.loop.call_later(HEAD_WITHIN, self.transport.abort)

    def on_message_begin(self) -> None:
        """Of the parser."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Of the parser; what it raises is answered 400."""
        self._rest()
        if self._octets > LONGEST_HEAD:
            length = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if length > LONGEST_HEAD:
                raise ValueError("too long")
        self._in_head, self._octets = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Of the parser."""
        self._octets = 0
        super().on_message_complete()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

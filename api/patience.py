"""HTTP as uvicorn speaks it, with bounds that it lacks: on how much one connection may hold, and for how long."""

import asyncio
import logging
import time
from collections.abc import Sized
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = logging.getLogger(__name__)

LONGEST_HEAD = 65_536
"""Octets of a request line with its headers. The platform's have about 700."""
HEAD_WITHIN = 10.0
"""Seconds in which a head must be there, from the connection or from the first octet of a later call."""
REST_WITHIN = 5.0
"""Seconds for what is left of a body once its call was answered, as when it came too slowly or was refused."""
READ_WITHIN = 30.0
"""Seconds in which a caller must take what was written, or enough of it that more can be."""
MOST_PIPELINED = 128
"""Calls that may wait on one connection behind the one that is being answered."""
_SAID_EVERY = 10.0

_FULL = (
    b'{"type": "urn:hookledger:problem:too_many_connections", "title": "Not available", "status": 503,'
    b' "detail": "So many connections are open that no other is taken."}'
)
_TURNED_AWAY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 2\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(_FULL), _FULL)
)


class _Flow(FlowControl):
    """Reads nothing more while calls wait. Uvicorn reads on with every answer, and would keep thousands for each."""

    def __init__(self, transport: Any, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        """Unless calls wait: then once the last of them is being answered."""
        if not self._waiting:
            super().resume_reading()


class Bounded(HttpToolsProtocol):
    """Hangs up on who does not go on. How long a body may take until it is answered is the receiver's deadline."""

    _in_head = True
    _in_body = False
    _octets = 0
    _timer: asyncio.TimerHandle | None = None
    """For the caller's next words, while we wait for them."""
    _unread: asyncio.TimerHandle | None = None
    """For what we have said, while the caller does not read it."""
    _said_at = -_SAID_EVERY

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Uvicorn would answer the last connection that we take as one too many, in plain text.
        self._most, self.limit_concurrency = self.limit_concurrency, None

    def connection_made(self, transport: Any) -> None:
        """Of asyncio.Protocol. As HTTP/1.1 has one call at a time, bounding connections bounds calls."""
        if self._most is not None and len(self.connections) >= self._most:
            self.transport = transport
            transport.write(_TURNED_AWAY)
            transport.close()
            self._say_full()
            return
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        self._timer = self.loop.call_later(HEAD_WITHIN, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio.Protocol."""
        self._rest()
        self._was_read()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Of asyncio.Protocol."""
        self._octets += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            self._leave()
        elif self._in_head:
            if self._octets > LONGEST_HEAD:
                self.send_400_response("The head of the call is too long.")
            elif self._timer is None and self._octets:
                self._timer = self.loop.call_later(HEAD_WITHIN, self.transport.abort)
        elif self._timer is None and not self._in_body and self.cycle.response_complete:
            # Octets that are no call's: uvicorn has just stopped the clock of an idle connection for them.
            self._timer = self.loop.call_later(HEAD_WITHIN, self.transport.abort)

    def pause_writing(self) -> None:
        """Of asyncio.Protocol."""
        super().pause_writing()
        self._wait_until_read()

    def resume_writing(self) -> None:
        """Of asyncio.Protocol."""
        self._was_read()
        super().resume_writing()

    def on_message_begin(self) -> None:
        """Of the parser."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Of the parser; what it raises is answered 400."""
        self._rest()
        if len(self.pipeline) >= MOST_PIPELINED:
            raise ValueError("too many calls")
        if self._octets > LONGEST_HEAD:
            length = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if length > LONGEST_HEAD:
                raise ValueError("too long")
        self._in_head, self._in_body, self._octets = False, True, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Of the parser."""
        self._rest()
        self._in_body, self._octets = False, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Of uvicorn."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._leave()
        elif self._in_body and self._timer is None and self.cycle.response_complete:
            self._timer = self.loop.call_later(REST_WITHIN, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """Of uvicorn."""
        super().timeout_keep_alive_handler()
        self._leave()

    def _leave(self) -> None:
        """What was written is still to be read before a connection ends: not for ever."""
        if self.transport.get_write_buffer_size():
            self._wait_until_read()

    def _wait_until_read(self) -> None:
        if self._unread is None:
            self._unread = self.loop.call_later(READ_WITHIN, self.transport.abort)

    def _was_read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _say_full(self) -> None:
        now = time.monotonic()
        if now - Bounded._said_at >= _SAID_EVERY:
            Bounded._said_at = now
            log.error("all %d connections are taken: others are turned away", self._most)

"""A lean HTTP/1.1 client: it keeps connections, follows nothing, sends nothing twice."""

import asyncio
import ssl
import time
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httptools

_IDLE = 2.0
"""Seconds after which a kept connection is not trusted any more: Uvicorn closes one after 5."""

_SLICE = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `headers` is all of them as text; `media_type` is lower case, without parameters."""

    status: int
    media_type: str
    headers: str
    body: bytes
    seconds: float


class NoAnswerError(Exception):
    """Refused, reset, cut short, not HTTP, or too late; the text says which. `refused`: nobody listened."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class Wire:
    """Connections to one receiver, as many as are asked for at once."""

    def __init__(self, url: str, *, ca: str | None = None, timeout: float = 10.0) -> None:
        """`url` with scheme, host and prefix; `ca`: a PEM file to trust, not the system's; seconds."""
        address = urlsplit(url)
        if address.hostname is None:
            raise ValueError("the address has no host")
        self._tls = ssl.create_default_context(cafile=ca) if address.scheme == "https" else None
        self._host, self._port = address.hostname, address.port or (443 if self._tls else 80)
        self._prefix, self._name = address.path.rstrip("/"), address.netloc.rpartition("@")[2]
        self._timeout = timeout
        self._idle: list[_Connection] = []

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Sends one POST to `{prefix}/{path}`, once. Raises NoAnswerError."""
        lines = [f"POST {self._prefix}/{path} HTTP/1.1", f"Host: {self._name}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1")
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout):
                connection = self._kept() or await self._connect()
                try:
                    answer = await connection.exchange(head, body)
                except BaseException:
                    connection.close()
                    raise
        except TimeoutError:
            raise NoAnswerError(f"no answer within {self._timeout:g} s") from None
        if connection.reusable:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            connection.close()
        status, media_type, text, content = answer
        return Answer(status, media_type, text, content, time.perf_counter() - begun)

    async def close(self) -> None:
        """Hangs up, and lets the loop see it."""
        while self._idle:
            self._idle.pop().close()
        await asyncio.sleep(0)

    def _kept(self) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.open and time.monotonic() - connection.idle_since < _IDLE:
                return connection
            connection.close()
        return None

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                _Connection,
                self._host,
                self._port,
                ssl=self._tls,
                ssl_shutdown_timeout=1 if self._tls else None,
            )
        except ssl.SSLError as error:
            raise NoAnswerError(f"TLS failed: {error.reason or 'handshake'}", refused=True) from error
        except OSError as error:
            raise NoAnswerError("connection refused or host not found", refused=True) from error
        return connection


class _Connection(asyncio.Protocol):
    """One connection with at most one exchange on it at a time."""

    def __init__(self) -> None:
        self.open, self.reusable, self.idle_since = False, False, 0.0
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, str, str, bytes]] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._begin()

    async def exchange(self, head: bytes, body: bytes) -> tuple[int, str, str, bytes]:
        """Status, media type, headers and body of the answer, which may come before the body is sent."""
        transport = self._transport
        if transport is None or not self.open:
            raise NoAnswerError("connection reset")
        self._begin()
        self._answer = answer = asyncio.get_running_loop().create_future()
        transport.write(head + body[:_SLICE])
        for start in range(_SLICE, len(body), _SLICE):
            await asyncio.sleep(0)
            await self._room.wait()
            if answer.done() or not self.open:
                break
            transport.write(body[start : start + _SLICE])
        try:
            return await answer
        finally:
            self._answer = None

    def close(self) -> None:
        self.open = False
        if self._transport is not None:
            if self._answer is None:
                self._transport.close()
            else:
                self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.open = cast("asyncio.Transport", transport), True

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("not HTTP")

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._room.set()
        if self._until_close:
            self.on_message_complete()
        self._fail("connection reset" if exc else "connection closed without an answer")

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        names = {name for name, _ in self._headers}
        self._until_close = not names & {b"content-length", b"transfer-encoding"}

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._until_close = False
        status = self._parser.get_status_code()
        if status < 200:
            self._headers.clear()
            return
        self.reusable = self.open and self._parser.should_keep_alive()
        text = b"\n".join(name + b": " + value for name, value in self._headers).decode("latin-1")
        kinds = [value for name, value in self._headers if name == b"content-type"]
        kind = kinds[0].decode("latin-1").partition(";")[0].strip().lower() if len(kinds) == 1 else ""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, kind, text, b"".join(self._body)))

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._until_close = False

    def _fail(self, reason: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(NoAnswerError(reason))

"""Servers on loopback that activities talk to: one of HTTP, one of SMTP."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


@dataclass(frozen=True)
class Call:
    """What an HTTP endpoint was sent."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Endpoint:
    """Answers with the given (status, headers) in turn, then with 204; keeps what came."""

    port: int
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list[tuple[int, dict[str, str]]])
    calls: list[Call] = field(default_factory=list[Call])

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/in"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.calls.append(
            Call(request.url.path, dict(request.headers), await request.body(), time.monotonic())
        )
        status, headers = self.answers.pop(0) if self.answers else (204, {})
        await Response(status_code=status, headers=headers)(scope, receive, send)


class _Server(uvicorn.Server):
    """Leaves the signals to pytest."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def http_endpoint(port: int = 0) -> AsyncGenerator[Endpoint]:
    """A listening endpoint; at a port of its own unless one is given."""
    listener = socket.create_server(("127.0.0.1", port))
    endpoint = Endpoint(listener.getsockname()[1])
    server = _Server(uvicorn.Config(endpoint, lifespan="off", access_log=False, log_config=None))
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        assert not serving.done(), "the endpoint did not start"
        await asyncio.sleep(0.01)
    yield endpoint
    server.should_exit = True
    await serving


@dataclass
class Mailbox:
    """An SMTP server's handler: answers RCPT and DATA as told, keeps what it accepted."""

    port: int = 0
    at_recipient: list[str] = field(default_factory=list[str])
    at_data: list[str] = field(default_factory=list[str])
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list[tuple[list[str], EmailMessage]])

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answers from `at_recipient` first."""
        if self.at_recipient:
            return self.at_recipient.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Answers from `at_data` first."""
        if self.at_data:
            return self.at_data.pop(0)
        content: Any = envelope.content
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append((envelope.rcpt_tos, message))
        return "250 kept"


@asynccontextmanager
async def smtp_server() -> AsyncGenerator[Mailbox]:
    """A listening mail server."""
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname="localhost", loop=loop, enable_SMTPUTF8=True), "127.0.0.1", 0
    )
    mailbox.port = server.sockets[0].getsockname()[1]
    yield mailbox
    server.close()
    await server.wait_closed()

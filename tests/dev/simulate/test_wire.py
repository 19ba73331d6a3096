"""The client keeps connections, understands every way of ending a body, and sends nothing twice."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from dev.simulate.wire import NoAnswerError, Wire

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/JSON; charset=utf-8\r\n"


@asynccontextmanager
async def wire_to(
    serve: Serve, tls: ssl.SSLContext | None = None, ca: str | None = None
) -> AsyncGenerator[Wire]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    scheme, port = "https" if tls else "http", server.sockets[0].getsockname()[1]
    wire = Wire(f"{scheme}://127.0.0.1:{port}/hook/", ca=ca, timeout=2)
    try:
        yield wire
    finally:
        await wire.close()
        server.close()
        await server.wait_closed()


async def test_a_connection_is_kept_and_the_request_is_as_it_should_be() -> None:
    heads: list[bytes] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await reader.readexactly(2)
            writer.write(_OK + b"Content-Length: 2\r\n\r\n{}")

    async with wire_to(serve) as wire:
        answers = [await wire.post("test", b"{}", {"X-One": "1"}) for _ in range(3)]
    assert connections == 1
    assert heads[0].startswith(b"POST /hook/test HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nX-One: 1\r\nContent-Length: 2\r\n\r\n" in heads[0]
    assert {(a.status, a.media_type, a.body) for a in answers} == {(200, "application/json", b"{}")}


@pytest.mark.parametrize(
    "raw",
    [
        _OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        _OK + b"Connection: close\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" + _OK + b"Content-Length: 2\r\n\r\n{}",
    ],
    ids=["chunked", "until close", "after 100"],
)
async def test_every_end_of_a_body_is_understood(raw: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(raw)
        if b"Connection: close" not in raw:
            await serve(reader, writer)

    async with wire_to(serve) as wire:
        assert [(await wire.post("test", b"{}", {})).body for _ in range(2)] == [b"{}", b"{}"]


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"hello\r\n\r\n"])
async def test_half_an_answer_is_none_and_the_call_is_not_made_again(raw: bytes) -> None:
    calls = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        await reader.readuntil(b"{}")
        calls += 1
        writer.write(raw)

    async with wire_to(serve) as wire:
        with pytest.raises(NoAnswerError) as silence:
            await wire.post("test", b"{}", {})
    assert not silence.value.refused
    assert calls == 1


async def test_an_answer_may_come_before_the_body_is_sent() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)

    async with wire_to(serve) as wire:
        assert (await wire.post("test", b"x" * 20_000_000, {})).status == 413


async def test_https_trusts_the_given_certificate_and_no_other(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(_OK + b"Content-Length: 2\r\n\r\n{}")
        await serve(reader, writer)

    pem = self_signed(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    async with wire_to(serve, context, ca=str(pem)) as wire:
        assert [(await wire.post("test", b"{}", {})).status for _ in range(2)] == [200, 200]
    async with wire_to(serve, context) as wire:
        with pytest.raises(NoAnswerError, match="TLS failed: CERTIFICATE_VERIFY_FAILED"):
            await wire.post("test", b"{}", {})


def self_signed(directory: Path) -> Path:
    """A key and its certificate for 127.0.0.1, good for a day."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = (
        builder.not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    pem = directory / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(private + builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return pem


async def test_nobody_listening_is_a_refusal() -> None:
    with pytest.raises(NoAnswerError) as silence:
        await Wire("http://127.0.0.1:9").post("test", b"{}", {})
    assert silence.value.refused

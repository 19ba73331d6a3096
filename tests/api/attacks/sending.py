"""Sends an attack over a socket, and judges what comes back."""

import asyncio
import re

from tests.api.attacks.table import SECRET, Attack

_AT_ONCE = 4_096
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


async def answer(port: int, octets: bytes) -> bytes:
    """All that comes back until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(octets[:_AT_ONCE])
        if len(octets) > _AT_ONCE:
            # Who sends on after the answer may lose it with the connection (RFC 9112, 9.6).
            await asyncio.sleep(0.2)
            writer.write(octets[_AT_ONCE:])
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def judged(attack: Attack, got: bytes, *secrets: str) -> int:
    """The status of the one answer, which is as it must be and echoes none of these secrets."""
    statuses = [int(status) for status in _STATUS.findall(got)]
    assert statuses, f"{attack.name}: closed without a word"
    assert statuses[0] in attack.answers, f"{attack.name}: {statuses[0]}"
    assert len(statuses) == 1, f"{attack.name}: a second call was heard in the first"
    if attack.code:
        assert f'problem:{attack.code}"'.encode() in got, f"{attack.name}: not {attack.code}"
    for secret in (SECRET, *secrets):
        assert secret.encode() not in got, f"{attack.name}: echoed"
    if statuses[0] in (401, 403):
        assert b"\r\nwww-authenticate: Bearer" in got, attack.name
    if statuses[0] >= 400 and b"json" in got:
        assert b"application/problem+json" in got, attack.name
    return statuses[0]

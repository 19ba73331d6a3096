"""Every attack of the table on a real socket: answered as it must be, echoed never, recorded never."""

import asyncio
import re
from pathlib import Path

import pytest

from ledger.engine import Pool
from tests.api.attacks.table import ALL, LOGIN, SECRET, Attack, Given, signed
from tests.api.edge import Edge
from tests.support import rows

ROWS = [attack for family in ALL.values() for attack in family]
_AT_ONCE = 4_096
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_DOCUMENT = Path(__file__).parents[3] / "docs" / "attacks.md"

pytestmark = pytest.mark.usefixtures("nothing_leaks")


def _given(edge: Edge) -> Given:
    keys = [edge.settings.tenants[name].token.keys[0].material for name in ("as100", "as200")]
    token = signed(keys[0])
    edge.minted.add(token)
    return Given(token, *keys)


async def _answer(port: int, octets: bytes) -> bytes:
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


@pytest.mark.parametrize("attack", ROWS, ids=lambda attack: attack.name)
async def test_it_is_turned_away(edge: Edge, pool: Pool, attack: Attack) -> None:
    given = _given(edge)
    refused_before = edge.app.state.receiver.refusals.count

    got = await _answer(edge.port, attack.send(given))

    statuses = [int(status) for status in _STATUS.findall(got)]
    assert statuses, "closed without a word"
    assert statuses[0] in attack.answers
    assert len(statuses) == 1, "a second call was heard in the first"
    for secret in (SECRET.encode(), given.token.encode(), given.token.rpartition(".")[2].encode()):
        assert secret not in got
    if statuses[0] in (401, 403):
        assert b"\r\nwww-authenticate: Bearer" in got
        assert edge.app.state.receiver.refusals.count == refused_before + 1
    if statuses[0] >= 400 and b"json" in got:
        assert b"application/problem+json" in got
    found = await rows(pool, "SELECT 1 FROM handles WHERE value = $1", LOGIN)
    assert found == []


async def test_the_same_call_without_an_attack_is_taken(edge: Edge) -> None:
    """Else the table shows nothing."""
    from tests.api.attacks.table import with_token

    body = b'{"request":{"user":{"login":"not attacked"}}}'
    got = await _answer(edge.port, with_token(_given(edge).token, body=body))
    assert got.startswith(b"HTTP/1.1 200 ")


def test_names_are_unique_and_the_document_is_this_table() -> None:
    assert len({attack.name for attack in ROWS}) == len(ROWS)
    text = _DOCUMENT.read_text(encoding="utf-8")
    assert text.partition("<!-- the table -->\n")[2] == document()


def document() -> str:
    """The part of docs/attacks.md below its introduction: `python -m tests.api.attacks.test_door` writes it."""
    lines: list[str] = []
    for family, attacks in ALL.items():
        lines += [f"\n## {family}\n", "| attack | reference | answer |", "| --- | --- | --- |"]
        for attack in attacks:
            answers = ", ".join(map(str, attack.answers))
            lines.append(f"| {attack.name.replace('|', '')} | {attack.reference} | {answers} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    head = _DOCUMENT.read_text(encoding="utf-8").partition("<!-- the table -->\n")[0]
    _DOCUMENT.write_text(f"{head}<!-- the table -->\n{document()}", encoding="utf-8")

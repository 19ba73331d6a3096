"""Every attack of the table on a real socket: answered as it must be, echoed never, recorded never."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from ledger.engine import Pool
from tests.api.attacks.sending import answer, judged
from tests.api.attacks.table import ALL, LOGIN, OF_THE_LEDGER, Attack, Given, signed
from tests.api.edge import Edge
from tests.support import rows

ROWS = [attack for family in ALL.values() for attack in family]
_DOCUMENT = Path(__file__).parents[3] / "docs" / "attacks.md"

pytestmark = pytest.mark.usefixtures("nothing_leaks")


def _given(edge: Edge) -> Given:
    keys = [edge.settings.tenants[name].token.keys[0].material for name in ("as100", "as200")]
    token = signed(keys[0])
    edge.minted.add(token)
    return Given(token, *keys)


@pytest.mark.parametrize("attack", ROWS, ids=lambda attack: attack.name)
async def test_it_is_turned_away(edge: Edge, pool: Pool, attack: Attack) -> None:
    given = _given(edge)
    refused_before = edge.app.state.receiver.refusals.count

    got = await answer(edge.port, attack.send(given))

    status = judged(attack, got, given.token, given.token.rpartition(".")[2])
    if status in (401, 403):
        assert edge.app.state.receiver.refusals.count == refused_before + 1
    found = await rows(pool, "SELECT 1 FROM handles WHERE value = $1", LOGIN)
    assert found == []


async def test_the_same_call_without_an_attack_is_taken(edge: Edge) -> None:
    """Else the table shows nothing."""
    from tests.api.attacks.table import with_token

    body = b'{"request":{"user":{"login":"not attacked"}}}'
    got = await answer(edge.port, with_token(_given(edge).token, body=body))
    assert got.startswith(b"HTTP/1.1 200 ")


def test_names_are_unique_and_the_document_is_this_table() -> None:
    for families in (ALL, OF_THE_LEDGER):
        names = [attack.name for family in families.values() for attack in family]
        assert len(set(names)) == len(names)
    text = _DOCUMENT.read_text(encoding="utf-8")
    assert text.partition("<!-- the table -->\n")[2] == document()


def _tables(families: Mapping[str, Sequence[Attack]]) -> Iterator[str]:
    for family, attacks in families.items():
        yield f"\n## {family}\n\n| attack | reference | answer |\n| --- | --- | --- |"
        for attack in attacks:
            answers = ", ".join(map(str, attack.answers)) + (f" `{attack.code}`" if attack.code else "")
            yield f"| {attack.name.replace('|', '')} | {attack.reference} | {answers} |"


def document() -> str:
    """The part of docs/attacks.md below its introduction: `python -m tests.api.attacks.test_door` writes it."""
    lines = [*_tables(ALL), "\n# At the listener of questions", *_tables(OF_THE_LEDGER)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    head = _DOCUMENT.read_text(encoding="utf-8").partition("<!-- the table -->\n")[0]
    _DOCUMENT.write_text(f"{head}<!-- the table -->\n{document()}", encoding="utf-8")

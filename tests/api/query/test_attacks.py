"""The attacks on the door of questions: each turned away, echoing nothing, making nothing."""

import pytest

from ledger.engine import Pool
from tests.api.attacks.sending import answer, judged
from tests.api.attacks.table import OF_THE_LEDGER, Given, asking, with_token
from tests.api.edge import logged
from tests.api.query.asking import Desk, make
from tests.support import rows


@pytest.mark.parametrize("family", OF_THE_LEDGER)
async def test_it_is_turned_away(desk: Desk, pool: Pool, family: str) -> None:
    text, key = await make(desk.settings, "admin")
    given = Given(text, *(desk.settings.tenants[name].token.keys[0].material for name in ("as100", "as200")))

    with logged() as log:
        for attack in OF_THE_LEDGER[family]:
            judged(attack, await answer(desk.port, attack.send(given)), text)

    assert text not in "\n".join(log.lines)
    assert [row["id"] for row in await rows(pool, "SELECT id FROM keys")] == [key.id]


async def test_the_same_call_without_an_attack_is_taken(desk: Desk, pool: Pool) -> None:
    """Else the table shows nothing."""
    text, _ = await make(desk.settings, "admin")

    got = await answer(desk.port, with_token(text, path="/ledger/keys", body=asking('"not attacked"')))

    assert got.startswith(b"HTTP/1.1 20"), got
    assert len(await rows(pool, "SELECT id FROM keys")) == 2

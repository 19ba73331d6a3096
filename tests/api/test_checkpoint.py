"""The newest checkpoint on both listeners: as it was signed, without a token."""

import httpx
import pytest

from api.app import make_app
from api.query.app import make_query_app
from ledger.engine import Pool
from ledger.receive import receive
from ledger.seal import seal, sealing
from settings import Settings, Store
from tests.ledger.sealing import SIGNER
from tests.support import delivery


@pytest.mark.parametrize("listener", ["webhooks", "questions"])
async def test_it_is_what_was_signed_last(
    settings: Settings, store: Store, pool: Pool, listener: str
) -> None:
    if listener == "webhooks":
        application = make_app(settings)
        application.state.errands = pool
    else:
        application = make_query_app(settings)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application), base_url="http://ledger.example"
    ) as client:
        await receive(pool, delivery("checkpoint-reader"))
        async with sealing(store) as connection:
            step = await seal(connection, SIGNER, [SIGNER.verifier])
        answer = await client.get("/ledger/checkpoint")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert step.head is not None
    assert answer.text == step.head.note

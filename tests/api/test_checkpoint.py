"""The newest checkpoint on the listener: as it was signed, without a token."""

import httpx

from api.app import make_app
from ledger.engine import Pool
from ledger.receive import receive
from ledger.seal import seal, sealing
from settings import Settings, Store
from tests.ledger.sealing import SIGNER
from tests.support import delivery


async def test_it_is_what_was_signed_last(settings: Settings, store: Store, pool: Pool) -> None:
    application = make_app(settings)
    application.state.pool = pool
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

"""notify against a real HTTP server, its signature checked by the public Standard Webhooks library."""

import asyncio
import base64
import json
import os
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from temporalio.client import Client, WorkflowExecutionStatus

from activities import Event, Outcome, Refused, Tools, Unavailable
from activities._tools import Db
from activities.notify import notify
from settings import Store
from tests.activities.desk import an_event
from tests.activities.listeners import Endpoint, http_endpoint
from tests.support import write_configuration
from tests.workflows.lifecycle import lifecycle

SECRET = f"whsec_{base64.b64encode(os.urandom(24)).decode()}"


@pytest.fixture
async def endpoint() -> AsyncGenerator[Endpoint]:
    """A listening endpoint."""
    async with http_endpoint() as endpoint:
        yield endpoint


async def _notify(endpoint: Endpoint, event: Event, key: str = "k:notify", **settings: Any) -> Outcome:
    async def no_reads(_: object) -> list[Any]:
        return []

    table = {"url": endpoint.url, "secret": SECRET} | settings
    async with httpx.AsyncClient(follow_redirects=False, trust_env=False) as http:
        return await notify.call([event], Tools(key, 1, Db(no_reads), http, table, lambda: None))


async def test_the_public_library_verifies_it(endpoint: Endpoint) -> None:
    event = an_event(application="hr")
    outcome = await _notify(endpoint, event, f"{event.delivery}:notify")
    assert (outcome.word, outcome.detail) == ("notified", {"status": 204})
    [call] = endpoint.calls
    message = Webhook(SECRET).verify(call.body, call.headers)
    assert message["type"] == "user.postCreateUser"
    assert message["timestamp"] == "2026-01-02T03:04:05+00:00"
    assert call.headers["webhook-id"] == f"{event.delivery}:notify"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(call.body.replace(b"postCreateUser", b"postUpdateUser"), call.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(call.body, call.headers | {"webhook-id": "another"})


async def test_it_tells_ids_only(endpoint: Endpoint) -> None:
    event = an_event(request={"user": {"login": "añna", "firstName": "Anna", "id": "p-1"}, "policyMap": "x"})
    await _notify(endpoint, event)
    [call] = endpoint.calls
    assert json.loads(call.body)["data"] == {
        "delivery": event.delivery,
        "tenant": "as100",
        "subject": event.subject,
        "seq": 7,
        "user_id": "p-1",
        "application": None,
    }
    assert "Anna" not in call.body.decode()
    assert "añna" not in call.body.decode()


async def test_full_tells_the_request_whole(endpoint: Endpoint) -> None:
    request = {"user": {"login": "añna", "odd": [None, 1.5, {"ü": "\u2028"}]}, "isSuccess": True}
    await _notify(endpoint, an_event(request=request), full=True)
    [call] = endpoint.calls
    assert Webhook(SECRET).verify(call.body, call.headers)["data"]["request"] == request


@pytest.mark.parametrize("status", [500, 502, 503, 408, 409, 423, 425, 429])
async def test_what_may_succeed_later(endpoint: Endpoint, status: int) -> None:
    endpoint.answers = [(status, {})]
    with pytest.raises(Unavailable) as error:
        await _notify(endpoint, an_event())
    assert str(error.value) == f"status {status}"
    assert error.value.retry_after is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
async def test_what_will_not(endpoint: Endpoint, status: int) -> None:
    endpoint.answers = [(status, {})]
    with pytest.raises(Refused, match=f"status {status}"):
        await _notify(endpoint, an_event())


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(endpoint: Endpoint, status: int) -> None:
    """Another address would get what was signed for this one."""
    endpoint.answers = [(status, {"location": f"http://127.0.0.1:{endpoint.port}/elsewhere"})]
    with pytest.raises(Refused):
        await _notify(endpoint, an_event())
    assert [call.path for call in endpoint.calls] == ["/in"]


_SOON = format_datetime(datetime.now(UTC) + timedelta(hours=30), usegmt=True)
_PAST = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        ("0", 0.0),
        ("86400", 3600.0),
        (_SOON, 3600.0),
        (_PAST, 0.0),
        ("soon", None),
        ("-5", None),
        ("²", None),
        ("", None),
    ],
    ids=range(9),
)
async def test_retry_after(endpoint: Endpoint, header: str, seconds: float | None) -> None:
    endpoint.answers = [(503, {"retry-after": header})]
    with pytest.raises(Unavailable) as error:
        await _notify(endpoint, an_event())
    assert error.value.retry_after == seconds


async def test_a_date_is_seconds_from_now(endpoint: Endpoint) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    endpoint.answers = [(429, {"retry-after": date})]
    with pytest.raises(Unavailable) as error:
        await _notify(endpoint, an_event())
    assert 80 < (error.value.retry_after or 0) <= 90


async def test_nobody_there() -> None:
    async with http_endpoint() as gone:
        pass
    with pytest.raises(Unavailable, match="ConnectError"):
        await _notify(gone, an_event())


async def test_attempts_are_one_message_and_wait_as_told(
    endpoint: Endpoint, store: Store, tmp_path: Path, client: Client
) -> None:
    """Through worker and Temporal: 500, then 429 with Retry-After, then it is taken."""
    (tmp_path / "notify.key").write_text(SECRET)
    table = f'[activities.notify]\nurl = "{endpoint.url}"\nsecret = {{ file = "notify.key" }}\n'
    settings = write_configuration(tmp_path, store, table)
    endpoint.answers = [(500, {}), (429, {"retry-after": "3"})]
    async with lifecycle(settings, client) as person:
        await person.send("notify")
        assert await person.ended() is WorkflowExecutionStatus.COMPLETED
        assert await person.outcomes() == [(1, "notify", "notified")]
    first, second, third = endpoint.calls
    assert len({call.headers["webhook-id"] for call in endpoint.calls}) == 1
    assert len({call.body for call in endpoint.calls}) == 1
    for call in endpoint.calls:
        Webhook(SECRET).verify(call.body, call.headers)
    assert second.at - first.at < 2.9, "the plan's own back-off is one second"
    assert third.at - second.at >= 2.9, "the plan's own would have been two"


async def test_a_refusal_is_not_tried_again(
    endpoint: Endpoint, store: Store, tmp_path: Path, client: Client
) -> None:
    table = f'[activities.notify]\nurl = "{endpoint.url}"\nsecret = "{SECRET}"\n'
    settings = write_configuration(tmp_path, store, table)
    endpoint.answers = [(400, {})]
    async with lifecycle(settings, client) as person:
        await person.send("notify")
        assert await person.ended() is WorkflowExecutionStatus.FAILED
        assert await person.outcomes() == [(1, "notify", "refused")]
    assert len(endpoint.calls) == 1


async def test_the_timestamp_is_of_the_attempt(endpoint: Endpoint) -> None:
    """Verifiers refuse what is older than five minutes, and an attempt may come hours after the delivery."""
    await _notify(endpoint, an_event())
    await asyncio.sleep(0)
    assert abs(int(endpoint.calls[0].headers["webhook-timestamp"]) - time.time()) < 10

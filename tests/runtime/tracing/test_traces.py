"""A hook's way through api, workflow and activity to the store is one trace, and names nobody."""

from collections.abc import Generator
from pathlib import Path
from uuid import UUID

import pytest
from temporalio.client import Client
from uuid_utils.compat import uuid7

from activities._registry import registry
from dev.collector import collector
from runtime.tracing.ids import bound, is_traced
from settings import Store
from tests.activities.listeners import http_endpoint
from tests.runtime.tracing.stage import Span, spans_of, stage


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setenv("HOOKLEDGER_ACTIVITIES", "tests.runtime.tracing.examples")
    registry.cache_clear()
    yield
    registry.cache_clear()


def _one(spans: list[Span], name: str, parent: Span | None = None) -> Span:
    [found] = [s for s in spans if s.name == name and (parent is None or s.parent == parent.id)]
    return found


async def test_one_trace_from_the_hook_to_the_statement_that_settles_its_work(
    store: Store, client: Client, tmp_path: Path
) -> None:
    async with http_endpoint() as desk:
        with collector() as sent:
            async with stage(store, client, tmp_path, endpoint=sent.endpoint, sample=1, desk=desk.url) as on:
                await on.hook("postProvision", isSuccess=True, applicationId="hr")
                await on.settled()
                [delivery] = await on.deliveries()
    spans = [s for s in spans_of(sent) if s.trace == UUID(delivery).hex]
    root = _one(spans, "POST postProvision")
    assert (root.service, root.parent, root.id) == ("hookledger-api", "", UUID(delivery).hex[16:])
    assert root.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": "200",
        "hookledger.hook": "postProvision",
        "hookledger.tenant": "as100",
        "hookledger.delivery": delivery,
        "hookledger.verdict": "received",
    }
    assert _one(spans, "receive", root).attributes == {"db.system.name": "postgresql"}
    assert _one(spans, "ring", root).service == "hookledger-api"
    attempt = _one(spans, "call_desk", root)
    assert attempt.service == "hookledger-worker"
    assert attempt.attributes["hookledger.attempt"] == "1"
    assert attempt.attributes["hookledger.outcome"] == "called"
    assert len(attempt.attributes["temporal.run_id"]) == 36
    for name in ("claim", "load", "settle"):
        assert _one(spans, name, attempt).attributes == {"db.system.name": "postgresql"}
    call = _one(spans, "GET", attempt)
    assert call.attributes["server.address"] == "127.0.0.1"
    assert call.attributes["http.response.status_code"] == "204"
    [called] = desk.calls
    assert called.headers["traceparent"] == f"00-{call.trace}-{call.id}-01"
    refused = _one(spans, "complain", root)
    assert (refused.failed, refused.attributes["error.type"]) == (True, "Refused")
    kept = _one(spans, "bookkeeping", root)
    assert _one(spans, "keep", kept).service == "hookledger-worker"
    assert sum(s.name == "queue" and s.parent == root.id for s in spans) == 3
    assert on.login.encode() not in b"".join(sent.batches)


async def test_sampled_in_one_process_is_sampled_in_the_other(
    store: Store, client: Client, tmp_path: Path
) -> None:
    with collector() as sent:
        async with stage(store, client, tmp_path, endpoint=sent.endpoint, sample=0.5) as on:
            for number in range(12):
                await on.hook("postUpdateUser", number=number)
            await on.settled()
            expected = {UUID(d).hex for d in await on.deliveries() if is_traced(UUID(d), bound(0.5))}
    spans = spans_of(sent)
    assert {s.trace for s in spans if s.name == "POST postUpdateUser"} == expected
    assert {s.trace for s in spans if s.name == "keep"} == expected


def test_the_share_is_kept_among_ids_of_one_moment() -> None:
    ids = [uuid7() for _ in range(10_000)]
    assert 800 < sum(is_traced(i, bound(0.1)) for i in ids) < 1200
    assert all(is_traced(i, bound(1)) for i in ids)
    assert not any(is_traced(i, bound(0)) for i in ids)

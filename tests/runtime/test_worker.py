"""A worker's start: it waits for Temporal, and for our search attributes, saying so once."""

import asyncio
import logging

import pytest
from temporalio.client import Client

from runtime import worker
from runtime.attributes import SEARCH_ATTRIBUTES
from tests.support import Servers


async def test_registered_attributes_let_it_start(client: Client) -> None:
    connected = await worker.connect_patiently(asyncio.Event())
    assert connected is not None
    assert await connected.count_workflows("Login IS NULL") is not None


async def test_an_unregistered_attribute_is_waited_for(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "SEARCH_ATTRIBUTES", SEARCH_ATTRIBUTES | {"NobodyRegisteredThis": "Keyword"})
    connecting = asyncio.create_task(worker.connect_patiently(stop := asyncio.Event()))
    await asyncio.sleep(0.8)
    assert not connecting.done()
    [line] = [r.getMessage() for r in caplog.records if r.name == "runtime.worker"]
    assert "search attributes" in line
    assert "NobodyRegisteredThis" in line
    monkeypatch.setattr(worker, "SEARCH_ATTRIBUTES", SEARCH_ATTRIBUTES)
    assert await asyncio.wait_for(connecting, 5) is not None
    assert not stop.is_set()


async def test_a_server_out_of_reach_is_waited_for_until_told_to_stop(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    stop = asyncio.Event()
    with caplog.at_level(logging.WARNING):
        connecting = asyncio.create_task(worker.connect_patiently(stop))
        await asyncio.sleep(0.5)
    assert not connecting.done()
    stop.set()
    assert await asyncio.wait_for(connecting, 15) is None
    assert "check TEMPORAL_ADDRESS" in caplog.text

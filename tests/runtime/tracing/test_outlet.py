"""A collector that is away costs spans and nothing else; traces that are off cost nothing at all."""

import subprocess
import sys
import time

import pytest
from pydantic import ValidationError
from uuid_utils.compat import uuid7

from dev.collector import collector
from runtime.tracing import OFF, Traces, open_traces
from settings.traces import Traces as Settings
from tests.api.edge import logged
from tests.journeys.processes import ROOT

_NOBODY = "http://127.0.0.1:1/v1/traces"


def _opened(endpoint: str) -> Traces:
    return open_traces(Settings(endpoint=endpoint, sample=1), "api", "test")


async def test_a_collector_that_is_away_is_told_once_and_holds_up_nothing() -> None:
    with logged() as log:
        traces = _opened(_NOBODY)
        began = time.monotonic()
        for _ in range(6_000):
            traces.answered(uuid7(), "test", "as100", "received", 200, 0.001)
        assert time.monotonic() - began < 3
        began = time.monotonic()
        await traces.close()
        assert time.monotonic() - began < 7
    assert log.lines == ["runtime.tracing.exporting traces: the collector takes none: they are dropped"]


async def test_what_is_left_at_the_end_is_sent() -> None:
    with collector() as sent:
        traces = _opened(sent.endpoint)
        traces.answered(uuid7(), "test", "as100", "received", 200, 0.001)
        await traces.close()
        assert len(sent.batches) == 1


def test_without_an_endpoint_or_a_share_there_are_none() -> None:
    assert open_traces(Settings(), "api", "test") is OFF
    assert open_traces(Settings(endpoint=_NOBODY, sample=0), "api", "test") is OFF


@pytest.mark.parametrize("address", ["collector:4318", "ftp://collector/", "http://me:mine@collector/"])
def test_an_address_that_cannot_be_sent_to_is_told_at_the_start(address: str) -> None:
    with pytest.raises(ValidationError, match="must be an http"):
        Settings(endpoint=address)


def test_api_and_worker_do_not_load_the_library_until_it_is_wanted() -> None:
    words = "import sys, api.app, runtime.worker; print(sum(m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter')) for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"

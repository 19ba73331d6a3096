"""What records the spans of one process; where traces are off, it costs one call and imports nothing."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID

from activities._traced import NOTHING, Kind, Span
from settings.metrics import Process
from settings.traces import Traces as TracesSettings


class Traces(Protocol):
    """Spans of deliveries. Which of them are traced, their ids say."""

    def answered(self, receipt: UUID, hook: str, tenant: str, verdict: str, status: int, took: float) -> None:
        """A call was answered just now, in so many seconds: the root of its delivery's trace."""
        ...

    def of(self, deliveries: Iterable[UUID], name: str, kind: Kind) -> AbstractContextManager[Span]:
        """A span below the root of each of these deliveries that is traced."""
        ...

    def waited(self, deliveries: Iterable[UUID], name: str, since: float) -> None:
        """They have waited from then, in seconds since 1970, until now."""
        ...

    async def close(self) -> None:
        """Sends what is left, within some seconds."""
        ...


class _Off:
    def answered(
        self, receipt: UUID, hook: str, tenant: str, verdict: str, status: int, took: float
    ) -> None: ...

    def of(self, deliveries: Iterable[UUID], name: str, kind: Kind) -> AbstractContextManager[Span]:  # noqa: ARG002 - of the protocol
        return NOTHING

    def waited(self, deliveries: Iterable[UUID], name: str, since: float) -> None: ...

    async def close(self) -> None: ...


OFF: Traces = _Off()


def open_traces(settings: TracesSettings, process: Process, version: str) -> Traces:
    """What `[traces]` says; to be closed."""
    if not settings.on:
        return OFF
    from runtime.tracing.exporting import Outlet
    from runtime.tracing.spans import Recorded

    outlet = Outlet(settings.endpoint, process, version)
    return Recorded(settings.sample, outlet.resource, outlet.take, outlet.close)

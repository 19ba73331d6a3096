"""Makes spans by hand: the library's tracer would choose ids and keep parents, which a delivery's id gives us."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import Token
from types import TracebackType
from uuid import UUID

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode
from temporalio.exceptions import ApplicationError

from activities._traced import NOTHING, Kind, Span, innermost
from runtime.tracing.ids import bound, context, is_traced, root_of, traceparent

Take = Callable[[ReadableSpan], None]
_Attributes = dict[str, str | int]
_KINDS = {"inside": SpanKind.INTERNAL, "sql": SpanKind.CLIENT, "http": SpanKind.CLIENT}
_SCOPE = InstrumentationScope("hookledger")
_FAULT = 500
"""Answers from here on are errors of ours; those before tell that the caller's call was wrong."""


class Recorded:
    """Traces of one process, handed to `take`."""

    def __init__(self, sample: float, resource: Resource, take: Take, close: Callable[[], None]) -> None:
        self._below = bound(sample)
        self._resource = resource
        self._take = take
        self._close = close

    def answered(self, receipt: UUID, hook: str, tenant: str, verdict: str, status: int, took: float) -> None:
        """Of Traces."""
        if not is_traced(receipt, self._below):
            return
        now = time.time_ns()
        attributes: _Attributes = {
            "http.request.method": "POST",
            "http.response.status_code": status,
            "hookledger.hook": hook,
            "hookledger.tenant": tenant,
            "hookledger.delivery": str(receipt),
            "hookledger.verdict": verdict,
        }
        if status >= _FAULT:
            attributes["error.type"] = str(status)
        began = now - round(took * 1e9)
        self.end(f"POST {hook}", SpanKind.SERVER, root_of(receipt), None, began, now, attributes)

    def of(self, deliveries: Iterable[UUID], name: str, kind: Kind) -> AbstractContextManager[Span]:
        """Of Traces."""
        roots = [root_of(d) for d in deliveries if is_traced(d, self._below)]
        return _Open(self, name, kind, roots) if roots else NOTHING

    def waited(self, deliveries: Iterable[UUID], name: str, since: float) -> None:
        """Of Traces. Temporal's clock may be ahead of ours: then they have not waited."""
        now = time.time_ns()
        began = min(round(since * 1e9), now)
        for delivery in deliveries:
            if is_traced(delivery, self._below):
                root = root_of(delivery)
                self.end(name, SpanKind.INTERNAL, _below(root), root, began, now, {})

    async def close(self) -> None:
        """Of Traces."""
        await asyncio.to_thread(self._close)

    def end(
        self,
        name: str,
        kind: SpanKind,
        own: SpanContext,
        parent: SpanContext | None,
        began: int,
        ended: int,
        attributes: Mapping[str, str | int],
    ) -> None:
        """Hands over a span. Of an error only its type is told: its words may hold data."""
        span = ReadableSpan(
            name,
            context=own,
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            kind=kind,
            status=Status(StatusCode.ERROR if "error.type" in attributes else StatusCode.UNSET),
            start_time=began,
            end_time=ended,
            instrumentation_scope=_SCOPE,
        )
        self._take(span)


class _Open:
    """A span, once in each of the traces that it belongs to: an attempt may be at the work of several deliveries."""

    def __init__(self, traces: Recorded, name: str, kind: Kind, parents: Sequence[SpanContext]) -> None:
        self._traces = traces
        self._name = name
        self._kind: Kind = kind
        self._parents = parents
        self._own = [_below(parent) for parent in parents]
        self._attributes: _Attributes = {"db.system.name": "postgresql"} if kind == "sql" else {}
        self._began = 0
        self._token: Token[Span] | None = None

    def __enter__(self) -> Span:
        self._began = time.time_ns()
        self._token = innermost.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, where: TracebackType | None
    ) -> None:
        now = time.time_ns()
        if self._token is not None:
            innermost.reset(self._token)
        if wrong is not None:
            self._attributes["error.type"] = _type_of(wrong)
        for own, parent in zip(self._own, self._parents, strict=True):
            self._traces.end(self._name, _KINDS[self._kind], own, parent, self._began, now, self._attributes)

    def note(self, **attributes: str | int) -> None:
        """Of Span."""
        self._attributes |= {name.replace("__", "."): value for name, value in attributes.items()}

    def child(self, name: str, kind: Kind) -> AbstractContextManager[Span]:
        """Of Span."""
        return _Open(self._traces, name, kind, self._own)

    def headers(self) -> Mapping[str, str]:
        """Of Span: what several deliveries cause together belongs to the first of them that is traced."""
        return {"traceparent": traceparent(self._own[0])}


def _below(parent: SpanContext) -> SpanContext:
    return context(parent.trace_id, random.getrandbits(64) or 1)


def _type_of(wrong: BaseException) -> str:
    told = wrong.type if isinstance(wrong, ApplicationError) else None
    return told or type(wrong).__name__

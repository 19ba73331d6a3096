"""An api and a worker that are traced, on one collector; and the spans that it was sent, decoded."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from temporalio.client import Client

from dev.collector import Collector
from ledger.engine import Pool, open_pool
from runtime.worker import assemble
from settings import Store
from tests.api.edge import Edge, listen
from tests.support import rows, write_configuration


@dataclass(frozen=True)
class Span:
    """One span as it was sent."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    failed: bool


def spans_of(collector: Collector) -> list[Span]:
    """Everything that was sent."""
    found: list[Span] = []
    for batch in collector.batches:
        request = ExportTraceServiceRequest.FromString(batch)
        for part in request.resource_spans:
            service = next(a.value.string_value for a in part.resource.attributes if a.key == "service.name")
            found += [_span(service, span) for scope in part.scope_spans for span in scope.spans]
    return found


def _span(service: str, span: Any) -> Span:
    return Span(
        service=service,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        attributes={a.key: next(iter(MessageToDict(a.value).values()), "") for a in span.attributes},
        failed=span.status.code == 2,
    )


@dataclass
class Stage:
    """Both processes' parts in this one."""

    edge: Edge
    pool: Pool
    login: str

    async def hook(self, name: str, **request: Any) -> None:
        """One hook about this stage's person, answered well."""
        got = await self.edge.hook(name, {"user": {"login": self.login}} | request)
        assert got.status_code == 200, got.text

    async def deliveries(self) -> list[str]:
        """The ids of the person's deliveries, in order."""
        found = await rows(
            self.pool,
            "SELECT d.id FROM deliveries d JOIN handles h ON h.subject = d.subject WHERE h.value = $1 ORDER BY d.seq",
            self.login,
        )
        return [row["id"] for row in found]

    async def settled(self) -> None:
        """Returns once nothing of the person is open."""
        for _ in range(400):
            open_work = await self.pool.fetchval(
                "SELECT count(*) FROM work w JOIN handles h ON h.subject = w.subject "
                "WHERE h.value = $1 AND w.settled_at IS NULL",
                self.login,
            )
            if not open_work:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("work is still open")


@asynccontextmanager
async def stage(
    store: Store,
    client: Client,
    home: Path,
    *,
    endpoint: str,
    sample: float,
    desk: str = "http://127.0.0.1:1",
) -> AsyncGenerator[Stage]:
    """Runs until the block ends; then everything traced has been sent."""
    settings = write_configuration(
        home,
        store,
        f'[traces]\nendpoint = "{endpoint}"\nsample = {sample}\n[activities.call_desk]\nurl = "{desk}"\n',
    )
    pool = await open_pool(store, "test")
    async with listen(settings) as edge, assemble(settings, client) as parts, parts.worker:
        yield Stage(edge, pool, f"traced.person.{uuid.uuid4().hex[:8]}")
    await pool.close()

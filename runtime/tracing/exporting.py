"""Sends spans to a collector from a thread of its own; a collector that is away costs spans, and nothing else."""

import logging
import threading
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from settings.metrics import Process

log = logging.getLogger(__name__)

_PATIENCE = 3.0
"""Seconds for the collector to take a batch; and for what is left at the end."""
_QUEUE = 4096
"""Spans that wait. Beyond it the oldest is dropped."""
_BATCH = 512
_EVERY = 1000.0
"""Milliseconds between two batches that are not full."""


class Outlet:
    """Of one process. Headers, certificates and compression are those of OTEL_EXPORTER_OTLP_*."""

    def __init__(self, endpoint: str, process: Process, version: str) -> None:
        self.resource = Resource.create({"service.name": f"hookledger-{process}", "service.version": version})
        # It says the same for every batch that it cannot send; `_Told` says it once.
        for noisy in ("opentelemetry", "urllib3"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        self._exporter = _Told(OTLPSpanExporter(endpoint, timeout=_PATIENCE))
        self._processor = BatchSpanProcessor(
            self._exporter, max_queue_size=_QUEUE, max_export_batch_size=_BATCH, schedule_delay_millis=_EVERY
        )
        self.take = self._processor.on_end

    def close(self) -> None:
        """Sends what is left. The library would wait for ten times as long, so a thread waits in our stead."""
        closing = threading.Thread(target=self._processor.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(_PATIENCE)
        self._exporter.shutdown()


class _Told(SpanExporter):
    """Says when the collector takes nothing any more, and when it does again."""

    def __init__(self, exporter: OTLPSpanExporter) -> None:
        self._exporter = exporter
        self._takes = True
        self._ended = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._ended:
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        takes = result is SpanExportResult.SUCCESS
        if takes != self._takes:
            self._takes = takes
            log.warning(
                "traces: the collector %s", "takes them again" if takes else "takes none: they are dropped"
            )
        return result

    def shutdown(self) -> None:
        if not self._ended:
            self._ended = True
            self._exporter.shutdown()

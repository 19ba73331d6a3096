"""Traces of deliveries: from the hook to the statement that settles its work, in one (docs/adr/0033)."""

from runtime.tracing.traces import OFF, Traces, open_traces

__all__ = ["OFF", "Traces", "open_traces"]

"""A delivery's id is its trace: ids of trace and root, and whether it is traced, follow from it in every process."""

from uuid import UUID

from opentelemetry.trace import SpanContext, TraceFlags

_RANDOM_BITS = 32
"""The last bits of a UUID of version 7 as we make them; those before them count up within a millisecond."""
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def bound(sample: float) -> int:
    """What `is_traced` compares with."""
    return round(sample * 2**_RANDOM_BITS)


def is_traced(delivery: UUID, below: int) -> bool:
    """The same in every process that has the same sample."""
    return delivery.int & (2**_RANDOM_BITS - 1) < below


def root_of(delivery: UUID) -> SpanContext:
    """The root span. The variant's bits keep its id from ever being zero."""
    return context(delivery.int, delivery.int & (2**64 - 1))


def context(trace: int, span: int) -> SpanContext:
    """A span that is traced."""
    return SpanContext(trace, span, is_remote=False, trace_flags=_SAMPLED)


def traceparent(span: SpanContext) -> str:
    """The header of W3C Trace Context."""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-01"

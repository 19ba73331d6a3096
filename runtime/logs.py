"""Logging to standard error: one line each, for a person or, with HOOKLEDGER_LOGS=json, for a collector."""

import json
import logging
import os
import sys
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from runtime.redacting import redact, redact_value

about: ContextVar[Mapping[str, object]] = ContextVar("about", default={})  # noqa: B039 - nobody writes to this one
"""What the current call or activity is about, by ids and names of ours: it stands in each JSON line.

One variable instead of structlog's one for each key: it is set for every hook."""


_OF_A_LINE = frozenset({"at", "level", "from", "message", "error", "trace"})


def _where(_: Any, __: str, event: EventDict) -> EventDict:
    """From whom and when; and what it is about."""
    record: logging.LogRecord = event["_record"]
    said = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
        "level": record.levelname.lower(),
        "from": record.name,
        "message": event.pop("event"),
    }
    return {**said, **about.get(), **event}


def _type_only(_: Any, __: str, event: EventDict) -> EventDict:
    """Of an error its type, and where it went wrong. Its text may hold a body, so it is left out."""
    wrong = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if wrong and wrong is not True and wrong[0] is not None:
        event["error"] = getattr(wrong[0], "__name__", "unknown error")
        event["trace"] = "".join(traceback.format_tb(wrong[2]))
    return event


def _redacted(_: Any, __: str, event: EventDict) -> EventDict:
    return redact_value({k: v for k, v in event.items() if not k.startswith("_")})


def _as_json(_: Any, __: str, event: EventDict) -> str:
    event.pop("trace", None)
    return json.dumps(event, ensure_ascii=False, default=str)


def _as_text(_: Any, __: str, event: EventDict) -> str:
    at = datetime.fromisoformat(event["at"]).astimezone().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
    matter = ", ".join(f"{key} {value}" for key, value in event.items() if key not in _OF_A_LINE)
    line = f"{at} {event['level'].upper():<7} {event['from']}: {event['message']}" + (
        f" ({matter})" if matter else ""
    )
    return f"{line}\n{redact(event['trace'])}{event['error']}" if "error" in event else line


def formatter(*, as_json: bool) -> logging.Formatter:
    """For a handler of the standard library: what libraries say goes the same way as what we say."""
    processors: list[Processor] = [_where, _type_only, _redacted, _as_json if as_json else _as_text]
    return structlog.stdlib.ProcessorFormatter(processors=processors)


def start_logging() -> None:
    """Configures the root logger. Libraries speak from WARNING up: their debug lines hold requests."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(as_json=os.environ.get("HOOKLEDGER_LOGS") == "json"))
    level = os.environ.get("HOOKLEDGER_LOG_LEVEL", "info").upper()
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "asyncio", "sqlalchemy", "temporalio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

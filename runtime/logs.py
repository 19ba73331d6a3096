"""Logging to standard error: one line each, for a person or, with HOOKLEDGER_LOGS=json, for a collector."""

import json
import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from typing import Any


class _Text(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Where it went wrong and the error's type. Its text may hold a body, so it is left out."""
        kind, _, trace = ei
        return "".join(traceback.format_tb(trace)) + getattr(kind, "__name__", "unknown error")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line, ensure_ascii=False)


def start_logging() -> None:
    """Configures the root logger. Libraries speak from WARNING up: their debug lines hold requests."""
    handler = logging.StreamHandler(sys.stderr)
    as_json = os.environ.get("HOOKLEDGER_LOGS") == "json"
    handler.setFormatter(_Json() if as_json else _Text("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    level = os.environ.get("HOOKLEDGER_LOG_LEVEL", "info").upper()
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "asyncio", "sqlalchemy", "temporalio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

"""The log: where something went wrong, never what an error's text holds."""

import io
import logging
import sys

import pytest

from runtime import logs

SECRET = "a-password-in-an-error"


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_text_of_an_error_stays_out(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setenv("HOOKLEDGER_LOGS", form)
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        logs.start_logging()
        try:
            int(SECRET)
        except ValueError:
            logging.getLogger("test").exception("it went wrong")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    said = out.getvalue()
    assert "it went wrong" in said
    assert "ValueError" in said
    assert SECRET not in said


def test_a_person_reads_what_a_line_is_about() -> None:
    record = logging.LogRecord("test", logging.WARNING, "", 0, "not done", None, None)
    reset = logs.about.set({"activity": "badge", "attempt": 2})
    try:
        line = logs.formatter(as_json=False).format(record)
    finally:
        logs.about.reset(reset)
    assert line.endswith("WARNING test: not done (activity badge, attempt 2)")

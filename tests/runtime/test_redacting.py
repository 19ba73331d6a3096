"""Whatever somebody may come to log one day: what looks like a secret or an address does not get through."""

import io
import json
import logging
import time

import pytest

from runtime import logs
from runtime.redacting import redact, redact_value

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"token {JWT} came", "token [cut] came"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [cut]"),
        ("key hlk_0123456789abcdef is old", "key [cut] is old"),
        ("asha.example+x@mail.example.com wrote", "[cut] wrote"),
        ("postgresql://app:pass@db:5432/x", "postgresql://[cut]@db:5432/x"),
        ("passwordText=hunter2, rest", "passwordText=[cut], rest"),
        ('{"newPassword": "a \\" b", "login": "x"}', '{"newPassword": [cut], "login": "x"}'),
        ("{'apiKey': 'open'}", "{'apiKey': [cut]}"),
        ("hookledger api 4711@host of retries=3", "hookledger api 4711@host of retries=3"),
        (
            "The token was not accepted: set this host's clock",
            "The token was not accepted: set this host's clock",
        ),
    ],
)
def test_what_is_cut(said: str, left: str) -> None:
    assert redact(said) == left


def test_names_are_known_at_any_depth() -> None:
    assert redact_value({"a": [{"passwordText": "x", "n": 1}], "secret": 7}) == {
        "a": [{"passwordText": "[cut]", "n": 1}],
        "secret": "[cut]",
    }


@pytest.mark.parametrize(
    "long", ["a" * 200_000 + "@", "=" * 200_000, "eyJ" * 60_000, "a.b-" * 50_000 + "@", "'" * 99_999 + ":"]
)
def test_a_long_line_does_not_take_long(long: str) -> None:
    began = time.perf_counter()
    redact(long)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize("as_json", [True, False])
def test_every_way_into_the_log_goes_by_it(*, as_json: bool) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logs.formatter(as_json=as_json))
    log = logging.getLogger("test.redacting")
    log.addHandler(handler)
    token = logs.about.set({"receipt": "r1", "hook": "postCreateUser"})
    try:
        int(JWT)
    except ValueError:
        log.exception("failed with %s for %s", JWT, {"password": "hunter2"})
    finally:
        logs.about.reset(token)
        log.removeHandler(handler)
    said = out.getvalue()
    assert "eyJ" not in said
    assert "hunter2" not in said
    assert "ValueError" in said
    if as_json:
        line = json.loads(said)
        assert (line["level"], line["from"], line["error"], line["receipt"]) == (
            "error",
            "test.redacting",
            "ValueError",
            "r1",
        )
        assert set(line) == {"at", "level", "from", "message", "error", "receipt", "hook"}
    else:
        assert "test_redacting.py" in said

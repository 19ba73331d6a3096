"""Differences are found by type and value, and shown without any."""

from typing import Any

import pytest

from dev.simulate.contract import check_problem, difference, outline, parse
from dev.simulate.wire import Answer


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": None}, {}),
        ({"a": [1, 2]}, {"a": [1]}),
        ({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "y"}]}),
        ({}, {"a": None}),
        ({"a": {}}, {"a": None}),
        ({"a": "e\u0301"}, {"a": "é"}),
    ],
)
def test_a_difference_is_found(sent: Any, got: Any) -> None:
    assert difference(sent, got)
    assert difference(sent, sent) is None


def test_the_order_of_keys_is_none() -> None:
    assert difference({"a": 1, "b": 2}, {"b": 2, "a": 1}) is None


def test_an_outline_shows_contract_words_and_codes_only() -> None:
    body = {"response": {"data": {"login": "someone", "x": 1}, "message": "hello someone"}}
    assert outline(body) == '{"response":{"data":{2 keys},"message":string}}'
    assert (
        outline({"response": {"message": "EmailAlreadyExist"}})
        == '{"response":{"message":"EmailAlreadyExist"}}'
    )
    assert outline({"someone": {}}) == "{1 keys}"


@pytest.mark.parametrize("raw", [b'{"a":1,"a":1}', b'{"a":NaN}', b'"\xe9"', b"", b"\xef\xbb\xbf{}"])
def test_lax_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"a key|NaN|codec|Expecting|BOM"):
        parse(raw)


def test_an_echo_in_a_header_counts() -> None:
    answer = Answer(400, "application/problem+json", "x-input: sentinel1", b'{"status":400}', 0.1)
    assert check_problem(answer, "sentinel1")
    assert check_problem(answer, "sentinel2") is None

"""A run makes the calls that were asked for, and one that has shown nothing says so."""

from collections import Counter

from fuzz.enough import blind, spread

_FINE = {"hooks": {200: 5, 401: 1}, "ledger": {204: 4}}


def _spread(cases: int, inputs: dict[str, int]) -> Counter[str]:
    """Calls made by part, each of which has so many inputs."""
    made = Counter[str]()

    def call(part: str, times: int) -> int:
        count = min(times, inputs[part])
        made[part] += count
        return count

    spread(cases, list(inputs), call)
    return made


def test_all_parts_have_an_equal_share() -> None:
    assert _spread(10, {"a": 99, "b": 99, "c": 99}) == {"a": 4, "b": 4, "c": 4}
    assert _spread(0, {"a": 99}) == {}


def test_what_one_has_no_inputs_for_is_for_the_others() -> None:
    made = _spread(30, {"few": 1, "some": 12, "many": 999})
    assert made["few"] == 1
    assert made.total() >= 30
    assert _spread(30, {"few": 1, "many": 999}).total() >= 30


def test_where_all_inputs_are_used_up_it_ends() -> None:
    assert _spread(30, {"few": 1, "none": 0}) == {"few": 1, "none": 0}


def test_enough_calls_that_were_answered_are_not_blind() -> None:
    assert list(blind(10, _FINE, {"receiving": 7})) == []
    assert list(blind(0, {}, {})) == []


def test_too_few_calls_a_closed_door_and_a_fuzzer_that_did_not_run_are_told() -> None:
    [words] = blind(11, _FINE, {})
    assert words == "10 calls were made, not 11"
    [words] = blind(10, _FINE | {"ledger": {401: 4}}, {})
    assert words == "no call of ledger was answered well: {401: 4}"
    [words] = blind(10, _FINE, {"receiving": 0, "spooling": 3})
    assert words == "the fuzzer of receiving ran no input"
    assert len(list(blind(1, {"hooks": {}, "ledger": {}}, {}))) == 3

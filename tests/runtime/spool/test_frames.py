"""Records as octets: torn, flipped, swapped, cut; reading never raises, and never gives what was not written."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.spool.frames import MOST_TEXT, Damage, Frame, Keys, read

KEY, OTHER = os.urandom(32), os.urandom(32)
TEXTS = [b"first", b"", b"x" * 500, "अनीता".encode()]


def _packed(keys: Keys) -> bytes:
    return b"".join(keys.pack(text, 1_000 + n, (n, n + 1)) for n, text in enumerate(TEXTS))


def _texts(keys: Keys, data: bytes) -> list[bytes | None]:
    return [keys.open(found) for found in read(data) if isinstance(found, Frame)]


def test_what_was_written_is_read_with_its_time_and_places() -> None:
    keys = Keys([KEY])
    frames = [found for found in read(_packed(keys)) if isinstance(found, Frame)]

    assert [keys.open(frame) for frame in frames] == TEXTS
    assert [(frame.at, frame.places) for frame in frames] == [(1_000 + n, (n, n + 1)) for n in range(4)]


def test_nothing_stands_in_clear() -> None:
    assert not any(text and text in _packed(Keys([KEY])) for text in TEXTS)


def test_a_torn_last_record_costs_only_itself() -> None:
    keys = Keys([KEY])
    data, last = _packed(keys), keys.pack(b"torn", 9, (0, 0))
    for cut in range(len(last)):
        assert _texts(keys, data + last[:cut]) == TEXTS


def test_a_flipped_bit_costs_one_record_and_is_told() -> None:
    keys = Keys([KEY])
    data = _packed(keys)
    for place in range(len(data)):
        flipped = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        found = list(read(flipped))
        assert sum(isinstance(part, Damage) for part in found) == 1
        got = _texts(keys, flipped)
        assert len(got) == len(TEXTS) - 1
        assert all(text in TEXTS for text in got)


def test_a_later_key_seals_and_the_earlier_one_opens() -> None:
    data = _packed(Keys([KEY]))
    assert _texts(Keys([OTHER, KEY]), data) == TEXTS
    assert _texts(Keys([KEY]), Keys([OTHER, KEY]).pack(b"new", 1, (0, 0))) == [None]
    [frame, *_] = read(data)
    assert isinstance(frame, Frame)
    assert not Keys([OTHER]).knows(frame)


def test_a_header_cannot_be_given_to_another_record() -> None:
    keys = Keys([KEY])
    first, second = keys.pack(b"a" * 40, 1, (1, 1)), keys.pack(b"b" * 40, 2, (2, 2))
    forged = Frame(keys.current, 1, (1, 1), first[:24], second[28:], 0, len(second))
    assert keys.open(forged) is None


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 400))
def test_any_octets_are_read_without_an_error_and_none_is_invented(junk: bytes, start: int, end: int) -> None:
    keys = Keys([KEY])
    data = _packed(keys)
    mixed = data[:start] + junk + data[end:]
    covered = 0
    for found in read(mixed):
        assert found.start == covered
        covered = found.end
        if isinstance(found, Frame):
            assert keys.open(found) in TEXTS
    assert covered == len(mixed)


def test_what_could_not_be_read_again_is_not_packed() -> None:
    keys = Keys([KEY])
    longest = b"x" * MOST_TEXT
    assert _texts(keys, keys.pack(longest, 1, (0, 0))) == [longest]
    with pytest.raises(ValueError, match="longer"):
        keys.pack(longest + b"x", 1, (0, 0))

"""Keys are found by scanners, told from mistyped ones without a look-up, and not told by what is kept of them."""

import re
import zlib

from hypothesis import given
from hypothesis import strategies as st

from ledger import key_text


def test_a_key_has_the_form_that_scanners_look_for() -> None:
    keys = {key_text.make().text for _ in range(200)}

    assert len(keys) == 200
    assert all(re.fullmatch(key_text.PATTERN, key) for key in keys)
    assert all((found := key_text.read(key)) and found.id == key[4:16] for key in keys)


def test_the_checksum_is_crc32_in_base_62_of_all_before_it() -> None:
    """Written out again, so that a scanner elsewhere can rely on it."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    text = key_text.make().text
    number = 0
    for digit in text[-6:]:
        number = number * 62 + digits.index(digit)

    assert number == zlib.crc32(text[:-6].encode())


@given(place=st.integers(4, 53), other=st.sampled_from("0aZ9"))
def test_one_wrong_character_is_seen(place: int, other: str) -> None:
    text = key_text.make().text
    wrong = text[:place] + other + text[place + 1 :]

    assert (key_text.read(wrong) is None) == (wrong != text)


def test_what_is_cut_off_or_of_another_form_is_none() -> None:
    text = key_text.make().text

    assert [key_text.read(t) for t in ("", "hlk_", text[:-1], text + "a", text + "\n", text.upper())] == [
        None
    ] * 6


def test_only_the_whole_key_fits_what_is_kept() -> None:
    key, other = key_text.make(), key_text.make()

    assert key.fits(key.hash)
    assert not other.fits(key.hash)
    assert key.text.encode() not in key.hash
    assert key.text not in repr(key)

"""Normal forms: every result that a reader could doubt is written down here."""

import unicodedata
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, format_number, parse

from rules import normal
from rules.normal import LONGEST, email, login, mobile, text, unique_values


@dataclass(frozen=True)
class Unique:
    attribute: str
    form: str
    statuses: tuple[str, ...] = ()


UNIQUES = (Unique("login", "login"), Unique("email", "email"), Unique("mobile", "mobile"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("JOSÉ@Example.com", "josé@example.com"),
        (unicodedata.normalize("NFD", "JOSÉ@Example.com"), "josé@example.com"),
        ("ｊｏｓé＠ｅｘａｍｐｌｅ．ｃｏｍ", "josé@example.com"),
        ("straße@example.com", "strasse@example.com"),
        ("STRASSE@example.com", "strasse@example.com"),
        ("İ@example.com", "i\u0307@example.com"),
        ("i@example.com", "i@example.com"),
        ("I@example.com", "i@example.com"),
        ("asha@STRAßE.example", "asha@xn--strae-oqa.example"),
        ("asha@strasse.example", "asha@strasse.example"),
        ("asha@MÜNCHEN.example", "asha@xn--mnchen-3ya.example"),
        ("asha@XN--MNCHEN-3YA.example", "asha@xn--mnchen-3ya.example"),
        ("  asha.example@example.com\n", "asha.example@example.com"),
        ("ﬁ@example.com", "fi@example.com"),
        ("a@b@Example.com", "a@b@example.com"),
        ("No Address", "no address"),
        ("@Example.com", "@example.com"),
        ("a\0b@Example.com", "a\ufffdb@example.com"),
        ("a@\ud800.example", "a@\ufffd.example"),
    ],
)
def test_email(value: str, expected: str) -> None:
    assert email(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Asha.Example", "asha.example"),
        ("ASHA@Example.com", "asha@example.com"),
        ("JOSÉ", "josé"),
        (unicodedata.normalize("NFD", "JOSÉ"), "josé"),
        ("ａｓｈａ", "asha"),
        ("ß", "ß"),  # PRECIS lowers, it does not fold: the two are different logins
        ("SS", "ss"),
        ("İ", "i\u0307"),
        ("i", "i"),
        ("Asha Example", "asha example"),  # PRECIS refuses the blank: compared as text
        ("asha\0", "asha\ufffd"),
    ],
)
def test_login(value: str, expected: str) -> None:
    assert login(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("  Straße ", "strasse"), ("E\u0301", "é"), ("ﬁ", "fi"), ("１", "１"), ("\0", "\ufffd")],
)
def test_text(value: str, expected: str) -> None:
    assert text(value) == expected


@pytest.mark.parametrize("value", ["9876543210", "+91 98765-43210", "00919876543210", "09876543210"])
@pytest.mark.parametrize(
    "home",
    [
        {"country": "India"},
        {"country": "IND", "region": "GB"},
        {"country_code": "91", "country": "Germany", "region": "GB"},
        {"country_code": "+91", "region": "US"},
        {},
    ],
)
def test_one_number_written_in_many_ways(value: str, home: dict[str, str]) -> None:
    assert mobile(value, **home) == "+919876543210"


@pytest.mark.parametrize(
    ("value", "home", "expected"),
    [
        ("९८७६५४३२१०", {}, "+919876543210"),
        ("(0)98765 43210", {}, "+919876543210"),
        ("00919876543210", {"country": "United States"}, "+919876543210"),
        ("011 91 98765 43210", {"country": "USA"}, "+919876543210"),
        ("+14155550100", {}, "+14155550100"),
        ("07400 123456", {"country": "United Kingdom"}, "+447400123456"),
        ("07400 123456", {"country": "uk"}, "+447400123456"),
        ("07400 123456", {"country": "Atlantis", "region": "GB"}, "+447400123456"),
        ("9876543210", {"country_code": "999", "country": "in", "region": "GB"}, "+919876543210"),
        ("0501234567", {"country": "UAE"}, "+971501234567"),
        ("9876543210 ext. 7", {}, "+919876543210;ext=7"),
        ("5555550100", {}, "+915555550100"),  # possible, though no such number is given out
        ("12345", {}, "12345"),
        ("Not Known", {}, "not known"),
        ("9876543210 / 9876543211", {}, "9876543210 / 9876543211"),
        ("9" * 300, {}, "9" * 300),
        ("12\0", {}, "12\ufffd"),
    ],
)
def test_mobile(value: str, home: dict[str, str], expected: str) -> None:
    assert mobile(value, **home) == expected


_ascii = st.text(st.characters(max_codepoint=127), max_size=20)


@given(st.one_of(_ascii, st.builds("{}@{}".format, _ascii, _ascii)))
def test_the_fast_way_for_ascii_agrees_with_the_slow_one(value: str) -> None:
    assert email(value) == normal.any_email(value.strip())
    assert login(value) == normal.any_login(value.strip())


def test_the_fast_way_agrees_for_every_printable_character() -> None:
    for character in map(chr, range(33, 127)):
        for value in (character, f"a{character}B", f"{character}@X.y", f"x@a{character}B"):
            assert email(value) == normal.any_email(value)
            assert login(value) == normal.any_login(value)


def _by_the_library(value: str) -> str:
    return format_number(parse(value, "IN"), PhoneNumberFormat.E164)


def test_the_fast_way_for_indian_numbers_agrees_with_the_library_for_every_series() -> None:
    for series in range(6000, 10_000):
        number = f"{series}{series * 7919 % 1_000_000:06}"
        assert mobile(number) == _by_the_library(number)


@settings(max_examples=100)
@given(
    st.sampled_from(["", "0", "91", "+91", "0091"]),
    st.from_regex(r"[6-9][0-9]{9}", fullmatch=True),
    st.lists(st.tuples(st.integers(0, 15), st.sampled_from(" -")), max_size=4),
)
def test_the_fast_way_for_indian_numbers_agrees_with_the_library(
    prefix: str, digits: str, separators: list[tuple[int, str]]
) -> None:
    value = prefix + digits
    for place, separator in separators:
        value = value[:place] + separator + value[place:]

    assert mobile(value) == _by_the_library(value) == "+91" + digits


@settings(max_examples=100)
@given(st.text(max_size=12))
def test_a_normal_form_is_its_own_normal_form_and_fits_into_the_store(value: str) -> None:
    for form in (email, login, text):
        once = form(value)
        assert form(once) == once
        assert "\0" not in once
        once.encode()


@given(st.text(st.characters(exclude_categories=[]), max_size=12))
def test_whatever_comes_fits_into_the_store(value: str) -> None:
    for form in ("email", "login", "mobile", "text"):
        result = normal.normal(form, value, {"countryCode": value, "country": value}, "IN")
        if result is not None:
            assert "\0" not in result
            result.encode()


@pytest.mark.parametrize("value", [None, "", "  ", "\t\n", {}, []])
@pytest.mark.parametrize("form", ["login", "email", "mobile", "text"])
def test_nothing_is_nothing_to_compare(form: str, value: Any) -> None:
    assert normal.normal(form, value, {}, "IN") is None


@pytest.mark.parametrize(
    ("form", "value", "expected"),
    [
        ("mobile", 9876543210, "+919876543210"),
        ("mobile", 9876543210.0, "+919876543210"),
        ("text", 17, "17"),
        ("text", 1.5, "1.5"),
        ("text", True, "true"),
        ("text", {"b": "É", "a": 1}, '{"a": 1, "b": "é"}'),
    ],
)
def test_values_of_other_types(form: str, value: Any, expected: str) -> None:
    assert normal.normal(form, value, {"countryCode": 91}, "GB") == expected


def test_long_values_differ_and_fit_into_an_index() -> None:
    one, two = (normal.normal("email", "é" * 3000 + end + "@x.example", {}, "IN") for end in "ab")

    assert one != two
    assert one is not None
    assert len(one) <= LONGEST


def test_a_users_unique_values_in_the_configured_order() -> None:
    user = {"mobile": "98765 43210", "country": "India", "login": "Asha", "email": "", "badge": "no check"}

    assert unique_values(user, UNIQUES, "GB") == [("login", "asha"), ("mobile", "+919876543210")]


@pytest.mark.parametrize(
    "attributes",
    [
        {"badge": "B-17"},
        [{"name": "floor", "value": 3}, "odd", {"name": "badge", "value": "B-17"}],
    ],
)
def test_nested_attributes(attributes: Any) -> None:
    found = unique_values({"attributes": attributes}, [Unique("attributes.badge", "text")], "IN")

    assert found == [("attributes.badge", "b-17")]


@pytest.mark.parametrize("user", [{}, {"attributes": None}, {"attributes": "x"}, {"attributes": []}])
def test_nested_attributes_that_are_not_there(user: dict[str, Any]) -> None:
    assert unique_values(user, [Unique("attributes.badge", "text")], "IN") == []

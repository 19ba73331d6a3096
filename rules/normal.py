"""Normal forms: what is compared when an attribute must be unique. Kept and answered is the raw value."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol, cast

import idna
from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_possible_number, parse
from precis_i18n import get_profile

from rules.countries import region_of_code, region_of_country

LONGEST = 1024
"""Bytes of UTF-8. A longer value is compared by its digest: an index row of Postgres ends at 2704 bytes."""

_LONGEST_NUMBER = 250  # the library's own limit; also bounds what the cache below may hold

_username = get_profile("UsernameCaseMapped")

# Postgres text holds neither NUL nor half of a surrogate pair; JSON can carry both.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

_WIDE_AT = re.compile("[\uff20\ufe6b]")

# What the slow ways below provably leave as it is, but for lower case: the tests compare the two.
_ASCII_LOGIN = re.compile(r"[!-~]+")
_ASCII_EMAIL = re.compile(r"[!-~]+@[!-?A-~]+")
_INDIAN_MOBILE = re.compile(r"(?:\+91|0091|91|0)?([6-9][0-9]{9})")
_SEPARATORS = str.maketrans("", "", " -")


class Unique(Protocol):
    """What is needed of settings.Unique."""

    @property
    def attribute(self) -> str: ...
    @property
    def form(self) -> str: ...
    @property
    def statuses(self) -> tuple[str, ...]: ...


def email(value: str) -> str:
    """Local part NFKC and case-folded, domain lower-case in ASCII (IDNA 2008, UTS 46); else as text."""
    plain = value.strip()
    if len(plain) <= LONGEST and _ASCII_EMAIL.fullmatch(plain):
        return plain.lower()
    return any_email(plain)


def login(value: str) -> str:
    """PRECIS UsernameCaseMapped (RFC 8265, 3.3); what that refuses (blanks, controls) is compared as text."""
    plain = value.strip()
    if len(plain) <= LONGEST and _ASCII_LOGIN.fullmatch(plain):
        return plain.lower()
    return any_login(plain)


def mobile(
    value: str, *, country_code: str | None = None, country: str | None = None, region: str = "IN"
) -> str:
    """E.164, an extension after `;ext=`; what cannot be a number is compared as text.

    A number without country code belongs to `country_code` ("91"), else `country` ("India"), else `region`.
    """
    if len(value) > _LONGEST_NUMBER:
        return text(value)
    home = (
        (country_code and region_of_code(country_code)) or (country and region_of_country(country)) or region
    )
    if home == "IN" and (found := _INDIAN_MOBILE.fullmatch(value.translate(_SEPARATORS))):
        return "+91" + found[1]
    return _number(value, home) or text(value)


def text(value: str) -> str:
    """NFC, case-folded, trimmed."""
    return _folded(value, "NFC")


def normal(form: str, value: Any, user: Mapping[str, Any], region: str) -> str | None:
    """The normal form of an attribute's value, or None if there is nothing to compare.

    `form` is login, email, mobile or text; `user` gives a mobile number its country. Never holds NUL.
    """
    plain = _as_text(value)
    if not plain or plain.isspace():
        return None
    if form == "login":
        result = login(plain)
    elif form == "email":
        result = email(plain)
    elif form == "mobile":
        code, country = _as_text(user.get("countryCode")), _as_text(user.get("country"))
        result = mobile(plain, country_code=code, country=country, region=region)
    else:
        result = text(plain)
    if len(result.encode()) > LONGEST:
        result = "sha256:" + hashlib.sha256(result.encode()).hexdigest()
    return result or None


def unique_values(user: Mapping[str, Any], uniques: Sequence[Unique], region: str) -> list[tuple[str, str]]:
    """(attribute, normal form) of each unique attribute that the user has, in the order of `uniques`.

    An attribute that is unique among some statuses only counts for who has one of them, or none.
    """
    found: list[tuple[str, str]] = []
    for unique in uniques:
        if unique.statuses and not _is_among(user.get("status"), unique.statuses):
            continue
        form = normal(unique.form, value_at(user, unique.attribute), user, region)
        if form is not None:
            found.append((unique.attribute, form))
    return found


def _is_among(status: Any, statuses: Sequence[str]) -> bool:
    return not isinstance(status, str) or not status or status.upper() in {s.upper() for s in statuses}


def value_at(user: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, or None. A list of {"name": …, "value": …} is walked like an object."""
    if "." not in path:
        return user.get(path)
    value: Any = user
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value).get(part)
        elif isinstance(value, list):
            value = _named_item(cast("list[Any]", value), part)
        else:
            return None
    return value


def _named_item(items: list[Any], name: str) -> Any:
    pairs = (cast("dict[str, Any]", item) for item in items if isinstance(item, dict))
    return next((pair.get("value") for pair in pairs if pair.get("name") == name), None)


def _as_text(value: Any) -> str:
    """Numbers as they are usually written; objects and lists, which nobody should call unique, as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if value not in ({}, []) else ""


def any_email(value: str) -> str:
    """What `email` does, without its short cut for ASCII."""
    local, at, domain = _WIDE_AT.sub("@", _storable(value)).rpartition("@")
    if not at or not local or not domain or len(value) > LONGEST:
        return text(value)
    return f"{_folded(local, 'NFKC')}@{_ascii_domain(domain)}"


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        return _folded(domain, "NFKC")


def any_login(value: str) -> str:
    """What `login` does, without its short cut for ASCII."""
    if len(value) > LONGEST:
        return text(value)
    try:
        return _username.enforce(value)
    except UnicodeEncodeError:
        return text(value)


@lru_cache(maxsize=2048)
def _number(value: str, region: str) -> str | None:
    # "00" begins an international number in most of the world, and is often written where it does not.
    for candidate in (value, "+" + value.strip()[2:]) if value.strip().startswith("00") else (value,):
        try:
            number = parse(candidate, region)
        except NumberParseException:
            continue
        if is_possible_number(number):
            extension = f";ext={number.extension}" if number.extension else ""
            return format_number(number, PhoneNumberFormat.E164) + extension
    return None


def _folded(value: str, form: Any) -> str:
    """Case folding and normalisation undo each other's work for a few characters: repeated until it rests."""
    value = _storable(value)
    while (
        again := unicodedata.normalize(form, unicodedata.normalize(form, value).casefold()).strip()
    ) != value:
        value = again
    return value


def _storable(value: str) -> str:
    return _UNSTORABLE.sub("\ufffd", value)

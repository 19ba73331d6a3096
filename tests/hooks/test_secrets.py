"""Secrets are cut from what is kept: by name, by name and value, by context; what tells about them stays."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks.policy_map import HOOK as POLICY_MAP
from hooks.secrets import CUT, TooDeep, cut, names_secret

SENTINEL = "Sentinel-5ecret"
DEPTH = 64

SECRET_NAMES = [
    "password",
    "passwordText",
    "Password",
    "PASSWORD",
    "userPassword",
    "__PASSWORD__",
    "newPwd",
    "pwd",
    "passphrase",
    "passcode",
    "userpasswd",
    "clientSecret",
    "accessToken",
    "refresh_token",
    "securityQuestion",
    "securityAnswer",
    "credentials",
    "private_key",
    "privateKey",
    "apiKey",
    "api_key",
    "otp",
    "PIN",
    "Authorization",
    "x" * 300,
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_cut_by_name(name: str) -> None:
    for value in (SENTINEL, 483_920, 0.5, [SENTINEL], {"question": SENTINEL}):
        assert cut({name: value, "login": "asha"}, DEPTH) == {name: CUT, "login": "asha"}


@pytest.mark.parametrize(
    "name", ["initialPassword", "lastPassword", "managerPassword", "changedPwd", "timeToken", "enabledSecret"]
)
def test_a_secret_is_one_whatever_stands_before_it(name: str) -> None:
    """A birthday is a common first password; only what stands behind the word tells about it."""
    for value in (SENTINEL, 483_920, "1990-05-01"):
        assert cut({name: value}, DEPTH) == {name: CUT}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pwdChangeCount", 3),
        ("lastPasswordChange", "2026-01-05T09:00:00.12"),
        ("lastPasswordChange", "2026-01-05"),
        ("passwordExpiredAfter", "2026-01-05T09:00:00+05:30"),
        ("passwordExpiryDate", 1_767_603_600_000),
        ("tokenExpiryMinutes", 1),
        ("forceChangePassword", False),
        ("isForceChangePassword", True),
        ("neverExpiryPassword", "true"),
        ("password", None),
        ("password", ""),
        ("password", False),
        ("securityQuestion", {}),
        ("passport", "M1234567"),
        ("secretary", "asha"),
        ("pinCode", "411001"),
        ("spinning", "yes"),
    ],
)
def test_what_is_no_secret_stays(name: str, value: Any) -> None:
    user = {name: value}

    assert cut(user, DEPTH) is user


@pytest.mark.parametrize("name", ["pwdChangeCount", "lastPasswordChange", "passwordPolicy"])
def test_a_name_that_tells_about_a_secret_does_not_hide_one(name: str) -> None:
    for value in (SENTINEL, [SENTINEL], {"is": SENTINEL}):
        assert cut({name: value}, DEPTH) == {name: CUT}


@pytest.mark.parametrize("name", ["name", "key", "attribute", "field", "external", "internal"])
@pytest.mark.parametrize("value", ["value", "values", "val", "defaultValue"])
def test_cut_by_name_and_value(name: str, value: str) -> None:
    pair = {name: "__PASSWORD__", value: [SENTINEL], "id": 7}

    assert cut({"attributes": [pair]}, DEPTH) == {"attributes": [pair | {value: CUT}]}
    ordinary = {"attributes": [{name: "department", value: "Finance"}, {name: "pwdChangeCount", value: 3}]}
    assert cut(ordinary, DEPTH) is ordinary


@pytest.mark.parametrize("target", ["__PASSWORD__", "password", "userPassword", "initialPassword"])
def test_cut_by_context(target: str) -> None:
    """The values of a policyMap are those of its target."""
    request = {"targetAttribute": target, "defaultValue": SENTINEL, "formVeriable": {"typed": SENTINEL}}

    assert cut(request, DEPTH) == {"targetAttribute": target, "defaultValue": CUT, "formVeriable": CUT}


def test_what_policy_map_keeps_of_a_user_s_password_is_cut() -> None:
    user = {"login": "asha", "password": SENTINEL, "email": "asha@example.com"}
    request = {"targetAttribute": "__PASSWORD__", "cymmetrifield": "password", "user": user}

    kept = cut(POLICY_MAP.keep(request), DEPTH)

    assert kept["user"] == {"login": "asha", "password": CUT}


def test_three_levels_down_in_an_application() -> None:
    login = {"login": "asha", "password": SENTINEL, "pwdChangeCount": 2}
    user = {"provisionedApps": {"CYMMETRI": {"login": login}}}

    kept = cut(user, DEPTH)

    assert kept == {"provisionedApps": {"CYMMETRI": {"login": login | {"password": CUT}}}}


def test_the_original_is_untouched_and_unchanged_parts_are_shared() -> None:
    user: dict[str, Any] = {
        "apps": [{"id": 1}, {"password": SENTINEL}],
        "groups": {"a": ["x"]},
        "login": "asha",
    }
    before = copy.deepcopy(user)

    kept = cut(user, DEPTH)

    assert user == before
    assert kept["groups"] is user["groups"]
    assert kept["apps"][0] is user["apps"][0]
    assert list(kept) == list(user)


def test_depth_is_bounded() -> None:
    value: Any = 1
    for _ in range(10):
        value = [value]
    assert cut(value, 10) is value
    with pytest.raises(TooDeep):
        cut([value], 10)
    with pytest.raises(TooDeep):
        cut({"a": value}, 10)


@pytest.mark.parametrize("name", ["targetAttribute", "__PASSWORD__", None, 7, ["password"], {}])
def test_only_a_name_names_a_secret(name: Any) -> None:
    assert names_secret(name) == (name == "__PASSWORD__")


_plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
_names = st.text(max_size=8) | st.sampled_from(["login", "name", "value", "attributes", "provisionedApps"])
_json = st.recursive(
    _plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3),
    max_leaves=12,
)


@st.composite
def _hiding(draw: st.DrawFn) -> Any:
    """JSON with the sentinel somewhere under a secret's name, or in a pair whose name is one."""
    name = draw(st.sampled_from(SECRET_NAMES))
    held: Any = SENTINEL
    for _ in range(draw(st.integers(0, 3))):
        held = draw(st.sampled_from([[held], {"deeper": held}]))
    if draw(st.booleans()):
        whole: Any = {name: held}
    else:
        whole = {"name": draw(st.sampled_from(["__PASSWORD__", "pwd", "token"])), "value": held}
    for _ in range(draw(st.integers(0, 10))):
        beside = draw(_json)
        if draw(st.booleans()):
            whole = [beside, whole]
        else:
            whole = {draw(st.sampled_from(["user", "apps", "a.b", ""])): whole, "beside": beside}
    return whole


@given(_hiding())
def test_no_secret_survives_at_any_depth(value: Any) -> None:
    before = json.dumps(value)

    kept = json.dumps(cut(value, DEPTH))

    assert SENTINEL in before
    assert SENTINEL not in kept
    assert CUT in kept
    assert json.dumps(value) == before


_ordinary_names = st.text("bcdfghjklmnqrstuvxyzBCDFGHJKLMNQRSTUVXYZ0123456789_.-ßé世", max_size=8)
"""The letters that are missing here, a secret's name needs."""
_ordinary = st.recursive(
    _plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ordinary_names, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(_ordinary_names, _ordinary, max_size=4))
def test_what_holds_no_secret_is_the_same_object(user: dict[str, Any]) -> None:
    assert cut(user, DEPTH) is user

"""Users of any shape come back equal and are stored (CASES 4), whatever the stores behind cannot hold."""

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from temporalio.client import Client

from hooks import by_name
from hooks.hook import Hook
from ledger.engine import Pool
from tests.api.edge import Edge
from tests.api.people import history_of, unique
from tests.support import rows

HOOKS = list(by_name().values())
RETURN_THE_USER = ("validateUser", "validateUpdateUser", "preCreateUser", "preUpdateUser")
ABOUT_USERS = [hook for hook in HOOKS if hook.about_user]

pytestmark = pytest.mark.usefixtures("nothing_leaks")


# CASES 4


def _attributes() -> dict[str, Any]:
    nested: list[Any] = [None, True, {"d": []}]
    odd: dict[str, Any] = {
        "İstanbul": "ı",
        "": "no name",
        "a.b": {"c": nested},
        "ключ": "значение",
        "\u0000": 0,
    }
    numbers = {"big": 2**200, "negative": -(2**63) - 1, "small": 5e-324, "exact": 0.1, "zero": -0.0}
    texts = {"emoji": "👩‍👩‍👧", "rtl": "\u202eabc", "nul": "a\u0000b", "quote": '"\\/', "line": "\u2028\n\t"}
    more = {f"attribute{n}": [n, str(n), {"n": n}] for n in range(30)}
    return odd | numbers | texts | more


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("name", RETURN_THE_USER)
async def test_undeclared_attributes_are_returned_key_for_key(
    edge: Edge, name: str, ascii_only: bool
) -> None:
    user = {"login": unique()} | _attributes()
    body = json.dumps({"request": {"user": user}}, ensure_ascii=ascii_only)

    got = await edge.send(f"/webhook/{name}", body)

    assert json.dumps(got.json()) == json.dumps({"response": {"data": user}})


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**300), 2**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
_KNOWN = (
    "id",
    "email",
    "mobile",
    "country",
    "countryCode",
    "status",
    "version",
    "updated",
    "attributes",
    "password",
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=st.dictionaries(st.text() | st.sampled_from(_KNOWN), _json, max_size=8),
    login=st.text(min_size=1).filter(lambda text: bool(text.strip())),
    ascii_only=st.booleans(),
    name=st.sampled_from(["preCreateUser", "preUpdateUser"]),
)
async def test_any_user_comes_back_equal(
    edge: Edge, user: dict[str, Any], login: str, ascii_only: bool, name: str
) -> None:
    whole = user | {"login": login}

    got = await edge.send(
        f"/webhook/{name}", json.dumps({"request": {"user": whole}}, ensure_ascii=ascii_only)
    )

    assert got.status_code == 200, got.text
    # As text: equal in order and in type too, where Python takes 1, 1.0 and True for one.
    assert json.dumps(got.json()) == json.dumps({"response": {"data": whole}})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    user=st.dictionaries(st.sampled_from(_KNOWN), _json, max_size=8),
    request=st.dictionaries(
        st.sampled_from(["applicationId", "action", "isSuccess", "roleList", "uid"]), _json
    ),
    login=st.text(min_size=1).filter(lambda text: bool(text.strip())),
    name=st.sampled_from(["postCreateUser", "postUpdateUser", "postProvision", "changePassword"]),
)
async def test_any_fact_is_stored(
    edge: Edge, user: dict[str, Any], request: dict[str, Any], login: str, name: str
) -> None:
    assert await edge.answer(name, request | {"user": user | {"login": login}}) == {}


# What Postgres and Temporal cannot hold


@pytest.mark.parametrize("hook", ABOUT_USERS, ids=lambda hook: hook.name)
async def test_odd_characters_are_stored_or_refused_and_never_a_fault(edge: Edge, hook: Hook) -> None:
    nul, wide, long = f"n\u0000{unique()}", f"\U0001f469\u202e{unique()}", unique() * 300
    noise = "".join(chr(random.randint(0x10000, 0x2FFFF)) for _ in range(1024))
    for odd in (nul, wide, long, noise):
        user = {
            "login": odd,
            "id": odd,
            "email": odd,
            "mobile": odd,
            "status": odd,
            "updated": odd,
            "a": {odd: odd},
        }
        keys = ("applicationId", "action", "targetAttribute", "cymmetrifield", "uid")
        got = await edge.hook(hook.name, dict.fromkeys(keys, odd) | {"user": user, "roleList": [odd]})
        assert got.status_code in (200, 422), (hook.name, odd[:2])
        assert not got.json().get("response", {}).get("error")
    assert (
        await edge.hook(hook.name, {"user": {"login": unique()}, "targetAttribute": "a"})
    ).status_code == 200


@pytest.mark.parametrize("character", ["x", "ß", "\u0939", "\U0001f469"])
async def test_a_login_too_long_for_temporal_is_rung_for_all_the_same(
    edge: Edge, pool: Pool, client: Client, character: str
) -> None:
    source = unique()
    await edge.answer("postCreateUser", {"user": {"login": unique() + character * 1000}}, webhook_id=source)

    [subject] = await rows(pool, "SELECT s.workflow_id FROM subjects s JOIN deliveries d ON d.subject = s.id WHERE d.source_id = $1", source)  # fmt: skip
    assert "WORKFLOW_EXECUTION_STARTED" in await history_of(client, subject["workflow_id"])

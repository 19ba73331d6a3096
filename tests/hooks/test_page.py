"""Every curl of the platform's page, sent as it stands there, is answered in the page's shape.

`tests/golden/webhooks.txt` is the platform's page word for word, but for one thing: the signature of its sample
token, long expired, is cut out of the copy, because with it the token would be a credential in a repository. Each
call carries a token minted here, for a tenant of its own, so that no example is answered differently because
another one came before it.
"""

import json
import re
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from hooks import by_name
from settings import Store
from tests.api.edge import Edge, configure, listen
from tests.api.leaks import assert_nowhere
from tests.golden.page import TEXT, Example, examples, repaired, samples
from tests.support import Servers

EXAMPLES = examples()
BY_HOOK = {example.hook: example for example in EXAMPLES}
SAMPLES = samples()
REFUSALS = [example for example in EXAMPLES if example.answer and "error" in example.answer["response"]]
MORE = ("mobileclash", "emailclash", "loginclash", "samples")


@pytest.fixture(scope="module")
async def page(
    servers: Servers, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Edge]:
    """An edge with one tenant for each example."""
    tenants = [f"page-{example.hook}" for example in EXAMPLES]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", servers.temporal)
        settings = configure(tmp_path_factory.mktemp("page"), store, *tenants, *MORE)
        async with listen(settings) as edge:
            yield edge


async def _as_it_stands(page: Edge, example: Example, tenant: str) -> Any:
    got = await page.send(example.path, example.body, tenant, Content_Type=example.content_type)
    assert got.status_code == 200, got.text
    assert got.headers["content-type"] == "application/json"
    return got.json()


def _shape(value: Any) -> Any:
    """An answer with its texts left open."""
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return "text" if isinstance(value, str) else value


def test_the_page_is_read_whole() -> None:
    assert TEXT.count("curl --location") == len(EXAMPLES) == 12
    assert {example.hook.lower() for example in EXAMPLES} == set(by_name())
    assert [example.hook for example in EXAMPLES if example.answer is None] == [
        "postCreateUser",
        "postUpdateUser",
        "changePassword",
        "preProvision",
        "postProvision",
    ]
    assert [example.hook for example in REFUSALS] == ["validateUser", "validateUpdateUser"]


def test_the_token_of_the_page_is_no_token_any_more() -> None:
    assert {example.token.rpartition(".")[2] for example in EXAMPLES} == {"<signature cut>"}
    assert not re.search(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{20}", TEXT)


async def test_the_token_of_the_page_is_refused(page: Edge) -> None:
    example = BY_HOOK["test"]
    headers = {"Authorization": f"Bearer {example.token}", "Content-Type": example.content_type}

    got = await page.http.post(f"http://127.0.0.1:{page.port}{example.path}", headers=headers, content="{}")

    assert got.status_code == 401


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.hook)
async def test_a_curl_of_the_page(page: Edge, example: Example) -> None:
    answer = await _as_it_stands(page, example, f"page-{example.hook}")

    if example.answer is None:
        assert answer == {"response": {}}
    elif example in REFUSALS:
        # The page shows only the refusal; a pass returns the user (its overview: "the same or modified body").
        assert answer == {"response": {"data": json.loads(example.body)["request"]["user"]}}
    elif example.hook == "policymap":
        assert _shape(answer) == _shape(example.answer)
        assert answer == {"response": {"mappedValue": "example@gmail.com"}}
    else:
        assert answer == example.answer
        assert json.dumps(answer) == json.dumps(example.answer), "in the page's order of keys"


@pytest.mark.parametrize(
    ("hook", "attribute", "tenant"),
    [("validateUser", "mobile", "mobileclash"), ("validateUpdateUser", "email", "emailclash")],
)
async def test_a_refusal_of_the_page(page: Edge, hook: str, attribute: str, tenant: str) -> None:
    example = BY_HOOK[hook]
    body = json.loads(example.body)
    body["request"]["user"][attribute] = {"mobile": "98765 43210", "email": "Asha@Example.com"}[attribute]
    other = {"login": "asha", "mobile": "+91-9876543210", "email": "asha@example.com"}
    assert await page.answer("postCreateUser", {"user": other}, tenant) == {}

    got = await page.send(example.path, json.dumps(body), tenant)

    assert got.status_code == 200
    assert got.json() == example.answer


async def test_the_page_s_user_is_refused_once_the_login_is_known(page: Edge) -> None:
    assert await _as_it_stands(page, BY_HOOK["postCreateUser"], "loginclash") == {"response": {}}

    answer = await _as_it_stands(page, BY_HOOK["validateUser"], "loginclash")

    assert answer == {"response": {"error": True, "message": "LoginAlreadyExist"}}
    assert _shape(answer) == _shape(BY_HOOK["validateUser"].answer)


def test_the_broken_samples_are_those_two() -> None:
    broken = [sample for sample in SAMPLES if repaired(sample) != sample]

    assert len(broken) == 2
    assert "targetAttribute" in broken[1]
    bodies = [json.loads(example.body) for example in EXAMPLES]
    assert all(json.loads(repaired(sample)) in bodies for sample in SAMPLES)


@pytest.mark.parametrize("hook", ["validateUpdateUser", "policymap"])
async def test_a_broken_sample_is_refused_and_repaired_it_is_answered(page: Edge, hook: str) -> None:
    wanted = json.loads(BY_HOOK[hook].body)
    sample = next(s for s in SAMPLES if repaired(s) != s and json.loads(repaired(s)) == wanted)

    broken = await page.send(f"/webhook/{hook}", sample, "samples")
    whole = await page.send(f"/webhook/{hook}", repaired(sample), "samples")

    assert (broken.status_code, broken.json()["type"]) == (400, "urn:hookledger:problem:bad_json")
    assert whole.status_code == 200
    assert list(whole.json()["response"]) == [{"policymap": "mappedValue"}.get(hook, "data")]


async def test_the_password_of_the_page_is_kept_nowhere(page: Edge, store: Store) -> None:
    await _as_it_stands(page, BY_HOOK["changePassword"], "samples")

    await assert_nowhere(store, [], json.loads(BY_HOOK["changePassword"].body)["request"]["passwordText"])

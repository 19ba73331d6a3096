"""Paths: every spelling of a hook leads to it, none redirects, and what nobody knows is answered and recorded."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from hooks import by_name
from hooks.hook import Hook
from ledger.engine import Pool
from settings import Store
from tests.api.edge import Edge, configure, listen
from tests.support import Servers, rows

HOOKS = list(by_name().values())
USER = {"login": "routes"}

pytestmark = pytest.mark.usefixtures("nothing_leaks")


@pytest.fixture(scope="module", params=["/webhook", "", "/a/B"])
async def prefixed(
    request: pytest.FixtureRequest, servers: Servers, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Edge]:
    """An edge under each kind of prefix."""
    directory: Path = tmp_path_factory.mktemp("prefixed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", servers.temporal)
        async with listen(configure(directory, store, api=f'prefix = "{request.param}"')) as edge:
            yield edge


def spellings(prefix: str, name: str) -> list[str]:
    """Ways in which a platform may join server, context path and hook."""
    plain = f"{prefix}/{name}"
    return [
        plain,
        plain.lower(),
        plain.upper(),
        plain.replace("/", "//"),
        f"{plain}/",
        f"/{plain}//",
        f"//{prefix}//{name.lower()}/",
    ]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.name)
async def test_every_spelling_is_answered_alike_and_without_redirect(prefixed: Edge, hook: Hook) -> None:
    request = (hook.sample or {}) | {"user": USER}
    answers: list[str] = []
    for path in spellings(prefixed.settings.api.prefix, hook.name):
        got = await prefixed.http.post(
            f"http://127.0.0.1:{prefixed.port}{path}", headers=prefixed.headers(), json={"request": request}
        )
        assert got.status_code == 200, path
        answers.append(got.text)
    assert len(set(answers)) == 1


@pytest.mark.parametrize("name", ["applicationPostUpdateAfterCommit", "validateUsers", "Test2"])
async def test_an_unknown_hook_is_answered_and_recorded(prefixed: Edge, pool: Pool, name: str) -> None:
    source = f"{prefixed.port}-{name}"

    answer = await prefixed.answer(name, {"user": USER, "news": [1]}, webhook_id=source)

    assert answer == {}
    [kept] = await rows(
        pool,
        "SELECT d.hook, d.subject, d.verdict, b.body FROM deliveries d JOIN bodies b ON b.delivery = d.id"
        " WHERE d.source_id = $1",
        source,
    )
    assert (kept["hook"], kept["subject"], kept["verdict"]) == ("unknown", None, "received")
    assert f'"hook":"{name}"' in kept["body"]
    assert '"news":[1]' in kept["body"]


async def test_an_unknown_hook_needs_a_token_too(edge: Edge) -> None:
    got = await edge.http.post(f"http://127.0.0.1:{edge.port}/webhook/whatever", json={})

    assert got.status_code == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
async def test_a_wrong_method(edge: Edge, method: str) -> None:
    for path in ("/webhook/postCreateUser", "//webhook/policymap/"):
        got = await edge.http.request(method, f"http://127.0.0.1:{edge.port}{path}", headers=edge.headers())
        assert got.status_code == 405, path
        assert got.headers["allow"] == "POST"
        assert got.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/webhookx/test", "/test", "/docs/../webhook"])
async def test_outside_the_prefix_there_is_nothing(edge: Edge, path: str) -> None:
    got = await edge.send(path, "{}")

    assert got.status_code == 404
    assert got.json()["type"] == "urn:hookledger:problem:not_found"


async def test_the_openapi_document_shows_every_hook(edge: Edge) -> None:
    document = (await edge.http.get(f"http://127.0.0.1:{edge.port}/openapi.json")).json()

    assert set(document["paths"]) == {f"/webhook/{hook.name}" for hook in HOOKS}
    for hook in HOOKS:
        shown = document["paths"][f"/webhook/{hook.name}"]["post"]
        assert shown["summary"] == hook.purpose
        assert shown["tags"] == [hook.kind.value]


async def test_health_needs_no_token(edge: Edge) -> None:
    for state in ("live", "ready"):
        got = await edge.http.get(f"http://127.0.0.1:{edge.port}/health/{state}")
        assert (got.status_code, got.json()["status"]) == (200, state)

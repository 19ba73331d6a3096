"""What answers without a credential is what SECURITY.md lists, and behind a list of addresses only health does."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Route

from api.app import make_app
from settings import Settings, Store
from tests.api.edge import configure, listen
from tests.api.query import asking
from tests.support import Servers

_TEXT = (Path(__file__).parents[2] / "SECURITY.md").read_text(encoding="utf-8")
_OF_ALL_ELSE = "/console/{rest:path}"
"""Says that there is nothing, whatever is asked."""

pytestmark = pytest.mark.usefixtures("temporal")


@pytest.fixture
def temporal(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)


def _listed(listener: str) -> set[str]:
    """The paths that SECURITY.md says are open there."""
    found = re.search(
        rf"- \*\*Open on the {listener} listener, without a \w+:\*\*(.*?)(?=\n- )", _TEXT, re.DOTALL
    )
    assert found
    return set(re.findall(r"`(/[^`]+)`", found[1]))


def _routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    for route in app.routes:
        assert isinstance(route, Route), f"{route} is of a kind that this test does not know"
        yield from ((method, route.path) for method in sorted(route.methods or {"GET"}))


async def _open(http: httpx.AsyncClient, port: int, app: FastAPI) -> set[str]:
    """The routes that answer a stranger with anything but that they should say who they are."""
    found: set[str] = set()
    for method, path in _routes(app):
        url = f"http://127.0.0.1:{port}{re.sub(r'[{}]', '', path)}"
        got = await http.request(method, url)
        signs_in = got.is_redirect and got.headers["location"].startswith("/console/sign-in")
        if got.status_code not in (401, 403) and not signs_in:
            found.add(path)
    return found - {_OF_ALL_ELSE}


def _application(settings: Settings) -> FastAPI:
    """Its routes are those of the one that listens."""
    app = make_app(settings)._app  # pyright: ignore[reportPrivateUsage]
    assert isinstance(app, FastAPI)
    return app


async def test_what_is_open_to_strangers_is_what_security_says(store: Store, tmp_path: Path) -> None:
    async with listen(configure(tmp_path, store)) as edge:
        assert await _open(edge.http, edge.port, _application(edge.settings)) == _listed("webhooks'")
    async with asking.listen(asking.configure(tmp_path, store)) as desk:
        assert await _open(desk.http, desk.port, desk.app) == _listed("query API's")


async def test_behind_a_list_of_addresses_only_health_is_open(store: Store, tmp_path: Path) -> None:
    async with listen(configure(tmp_path, store, api='allow = ["203.0.113.7"]')) as edge:
        assert await _open(edge.http, edge.port, _application(edge.settings)) == {
            "/health/live",
            "/health/ready",
        }
        here = f"http://127.0.0.1:{edge.port}"
        for path in (
            "/docs",
            "/openapi.json",
            "/ledger/checkpoint",
            "/nothing",
            "/health/ready/",
            "/webhook/test",
        ):
            turned_away = await edge.http.get(here + path)
            assert turned_away.status_code == 403, path
            assert turned_away.json()["type"] == "urn:hookledger:problem:address"
            taken = await edge.http.get(here + path, headers={"X-Forwarded-For": "203.0.113.7"})
            assert taken.status_code in (200, 404, 405), path

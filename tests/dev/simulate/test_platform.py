"""The platform that the simulator plays: paging, both shapes, tokens; held against CONTRACT B5."""

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.simulate.platform import LIST, LISTED, Reply, Users, after_stories, serving

ROOT = Path(__file__).resolve().parents[3]
HEADERS = {"Authorization": "Bearer good-token", "Tenant": "as100"}


def ask(page: int = 0, size: int = 2, **more: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {}
    return {
        "keyword": "", "pageNumber": page, "pageSize": size, "filter": nothing, "sortDirection": "ASC", "sortOn": ["login"],
    } | more  # fmt: skip


def some(count: int) -> Users:
    users = Users()
    users.put(
        *({"id": f"66aa{n:020x}", "login": f"p{n}", "secretless": "not in the list"} for n in range(count))
    )
    return users


async def test_spring_pages() -> None:
    async with serving(some(5)) as url, httpx.AsyncClient(headers=HEADERS, trust_env=False) as http:
        pages = [(await http.post(url + LIST, json=ask(n))).json() for n in range(4)]

    assert [page["success"] for page in pages] == [True] * 4
    assert [[user["login"] for user in page["data"]["content"]] for page in pages] == [
        ["p0", "p1"],
        ["p2", "p3"],
        ["p4"],
        [],
    ]
    assert {(p["data"]["totalElements"], p["data"]["totalPages"], p["data"]["size"]) for p in pages} == {
        (5, 3, 2)
    }
    assert [page["data"]["last"] for page in pages] == [False, False, True, True]
    assert [page["data"]["number"] for page in pages] == [0, 1, 2, 3]
    assert set(pages[0]["data"]["content"][0]) <= set(LISTED)


async def test_own_pages() -> None:
    users = some(3)
    users.shape = "own"
    async with serving(users) as url, httpx.AsyncClient(headers=HEADERS, trust_env=False) as http:
        data = (await http.post(url + LIST, json=ask(1, sortDirection="DESC"))).json()["data"]

    assert data == {
        "elements": [{"id": f"66aa{0:020x}", "login": "p0"}], "offset": 2, "pageSize": 2, "pageNumber": 1,
        "totalElements": 3, "totalPages": 2, "sort": {"orders": [], "sorted": True},
    }  # fmt: skip


async def test_one_user_whole_or_none() -> None:
    async with serving(some(1)) as url, httpx.AsyncClient(headers=HEADERS, trust_env=False) as http:
        one = await http.get(f"{url}/usersrvc/api/user/66aa{0:020x}")
        none = await http.get(f"{url}/usersrvc/api/user/nobody")

    assert one.json()["data"]["secretless"] == "not in the list"
    assert (none.status_code, none.json()["success"], none.json()["data"]) == (404, False, None)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer expired"}, 401),
        ({"Authorization": "Bearer good-token", "Tenant": "b"}, 403),
    ],
)
async def test_strangers_are_refused(headers: dict[str, str], status: int) -> None:
    async with serving(some(1)) as url, httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(url + LIST, json=ask(), headers=headers)

    assert (answer.status_code, answer.json()["success"], answer.json()["data"]) == (status, False, None)


async def test_mischief_replaces_or_delays_an_answer() -> None:
    users = some(1)
    users.mischief = lambda asked: Reply(500, b"oops") if asked.number == 1 else Reply(wait=0.1)
    async with serving(users) as url, httpx.AsyncClient(headers=HEADERS, trust_env=False) as http:
        first, second = [await http.post(url + LIST, json=ask()) for _ in range(2)]

    assert (first.status_code, first.text) == (500, "oops")
    assert second.json()["data"]["totalElements"] == 1


def test_the_stories_leave_people_as_their_last_hook_told() -> None:
    joined = {user["login"]: user for user in after_stories(5, 3, ["joiner"])}
    moved = {user["login"]: user for user in after_stories(5, 3, ["joiner", "mover"])}
    left = after_stories(5, 3, ["joiner", "mover", "leaver"])

    assert len(joined) == len(moved) == 3
    assert all(joined[login]["department"] != moved[login]["department"] for login in joined)
    assert {user["status"] for user in left} == {"DELETE"}


async def test_it_is_served_for_trying_by_hand() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "dev.simulate",
        "--serve-platform",
        str(port),
        "--users",
        "3",
        "--stories",
        "joiner",
    ]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        async with httpx.AsyncClient(headers=HEADERS, trust_env=False) as http:
            answer = (await http.post(f"http://127.0.0.1:{port}{LIST}", json=ask())).json()
    finally:
        process.terminate()
        await process.wait()

    assert line == f"3 users of seed 0 at http://127.0.0.1:{port}; token: good-token\n"
    assert answer["data"]["totalElements"] == 3
    assert "password" not in json.dumps(answer).lower()

"""Plays the platform's REST API for reading users, after CONTRACT B5, on a real socket; wrong in one way on request."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from urllib.parse import unquote

import httptools

from dev.simulate.people import person
from dev.simulate.stories import Story, tell

Json = dict[str, Any]
Shape = Literal["spring", "own"]

LIST = "/usersrvc/api/user/list"
_ONE = "/usersrvc/api/user/"
LISTED = (
    "id", "login", "firstName", "lastName", "displayName", "email", "mobile", "department", "designation", "userType",
    "employeeId", "status", "version", "updated", "created",
)  # fmt: skip
"""What a row of the list shows: less than the whole user."""

_REASONS = {
    200: "OK",
    302: "Found",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One call. `number` counts the calls from 1; `page` is None for a single user."""

    number: int
    path: str
    page: int | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it goes out, after `wait` seconds."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    wait: float = 0.0


Mischief = Callable[[Asked], Reply | None]


@dataclass
class Users:
    """The server's state, which a test may change at any moment, also from `mischief` while the list is being read.

    `tokens` are those that are good now. `mischief` sees each call first; a Reply of its own goes out instead, but
    only delays the right answer if it has neither body nor a status of its own.
    """

    people: dict[str, Json] = field(default_factory=dict[str, Json])
    shape: Shape = "spring"
    tokens: set[str] = field(default_factory=lambda: {"good-token"})
    tenant: str = "as100"
    listed: tuple[str, ...] = LISTED
    most: int = 500
    """The largest page; a larger one is cut to it, as Spring does."""
    mischief: Mischief = lambda _: None
    calls: list[Asked] = field(default_factory=list[Asked])

    def put(self, *users: Json) -> None:
        """Adds or replaces users by their id."""
        self.people.update((user["id"], user) for user in users)

    async def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The reply to one call."""
        asked = Asked(len(self.calls) + 1, path, _page_of(path, body), headers)
        self.calls.append(asked)
        wrong = self.mischief(asked)
        if wrong is not None:
            await asyncio.sleep(wrong.wait)
            if wrong.body or wrong.status != 200:
                return wrong
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return envelope(None, status=401, code="AUTHSRVC.INVALID_TOKEN")
        if headers.get("tenant") != self.tenant:
            return envelope(None, status=403, code="AUTHSRVC.TENANT")
        if path == LIST and method == "POST":
            return self._list(body)
        if path.startswith(_ONE) and method == "GET":
            user = self.people.get(unquote(path.removeprefix(_ONE)))
            return envelope(user) if user else envelope(None, status=404, code="USRSRVC.USER_NOT_FOUND")
        return envelope(None, status=404, code="GATEWAY.NO_ROUTE")

    def _list(self, body: bytes) -> Reply:
        asked = cast("Json", json.loads(body))
        size, number = min(int(asked["pageSize"]), self.most), int(asked["pageNumber"])
        keys = [str(key) for key in asked["sortOn"]]
        rows = list(self.people.values())
        rows.sort(
            key=lambda user: [str(user.get(key, "")) for key in keys],
            reverse=asked["sortDirection"] == "DESC",
        )
        pages, start = -(-len(rows) // size), number * size
        shown = [
            {name: user[name] for name in self.listed if name in user} for user in rows[start : start + size]
        ]
        common: Json = {"totalElements": len(rows), "totalPages": pages}
        if self.shape == "own":
            own: Json = {
                "offset": start,
                "pageSize": size,
                "pageNumber": number,
                "sort": {"orders": [], "sorted": bool(keys)},
            }
            return envelope(common | own | {"elements": shown})
        spring: Json = {
            "number": number,
            "size": size,
            "first": number == 0,
            "last": number + 1 >= pages,
            "empty": not shown,
        }
        return envelope(
            common | spring | {"content": shown, "pageable": {"pageNumber": number, "pageSize": size}}
        )


def envelope(data: Any, *, status: int = 200, code: str | None = None, success: bool | None = None) -> Reply:
    """The platform's envelope. Its failures may also come with status 200: then give `success`."""
    good = status == 200 and code is None if success is None else success
    whole = {
        "success": good,
        "data": data,
        "timestamp": "02-Mar-2022 01:58:57",
        "message": None,
        "errorCode": code,
    }
    return Reply(status, json.dumps(whole).encode())


def after_stories(seed: int, users: int, stories: Iterable[Story]) -> list[Json]:
    """The users as the simulator's stories leave them at the platform."""
    told = tuple(stories)
    left: dict[str, Json] = {}
    for number in range(users):
        for step in tell(seed, person(seed, number), told):
            user = step.request["user"]
            if "id" in user:
                left[user["id"]] = user
    return list(left.values())


@asynccontextmanager
async def serving(users: Users, port: int = 0) -> AsyncGenerator[str]:
    """Serves on loopback; gives the address, as `[tenants.X.platform] url` takes it."""
    server = await asyncio.start_server(lambda r, w: _serve(users, r, w), "127.0.0.1", port)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


class _Request:
    """One request as httptools tells it."""

    def __init__(self) -> None:
        self.path, self.headers, self.body, self.complete = b"", dict[str, str](), bytearray(), False

    def on_url(self, url: bytes) -> None:
        self.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


async def _serve(users: Users, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One call per connection."""
    try:
        request = _Request()
        parser = httptools.HttpRequestParser(request)
        while not request.complete:
            if not (chunk := await reader.read(65_536)):
                return
            parser.feed_data(chunk)
        method = parser.get_method().decode()
        reply = await users.answer(
            method, request.path.decode("latin-1"), request.headers, bytes(request.body)
        )
        head = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Error')}"]
        head += [
            f"{name}: {value}"
            for name, value in ({"content-type": "application/json"} | dict(reply.headers)).items()
        ]
        head += [f"content-length: {len(reply.body)}", "connection: close", "", ""]
        writer.write("\r\n".join(head).encode("latin-1") + reply.body)
        await writer.drain()
    except (ConnectionError, httptools.HttpParserError):
        pass
    finally:
        writer.close()


def _page_of(path: str, body: bytes) -> int | None:
    return int(json.loads(body)["pageNumber"]) if path == LIST else None

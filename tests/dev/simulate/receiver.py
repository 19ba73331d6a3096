"""A receiver written from the platform's page alone, right by default and wrong in one way on request."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SECRET = "fake-secret-of-a-test-0123456789abcdef"
_BACK = {"validateuser", "validateupdateuser", "precreateuser", "preupdateuser"}
_NA = {"test", "postcreateuser", "postupdateuser", "changepassword", "preprovision", "postprovision"}
_MOST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Any
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    raw: bytes | None = None

    def respond(self) -> Response:
        content = json.dumps(self.body).encode() if self.raw is None else self.raw
        return Response(content, self.status, self.headers, self.media_type)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a mutant may look at: hook in lower case, raw body, and the reply that would be right."""

    hook: str
    raw: bytes
    right: Reply


Mutant = Callable[[Heard], Reply]


class Bad(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Receiver:
    """The ASGI app. `heard` lists (hook, login, raw body) of what it took."""

    def __init__(
        self,
        mutant: Mutant | None = None,
        *,
        unique: tuple[str, ...] = ("login", "email", "mobile"),
        digits: bool = True,
        secret: str = SECRET,
    ) -> None:
        self._mutant, self._unique, self._digits, self._secret = mutant, unique, digits, secret.encode()
        self._owners: dict[tuple[str, str], str] = {}
        self.heard: list[tuple[str, str | None, bytes]] = []
        self.delay: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw = await request.body()
        hook = request.url.path.rpartition("/")[2].lower()
        await asyncio.sleep(self.delay.get(hook, 0))
        reply = self._reply(hook, request, raw)
        if self._mutant is not None:
            reply = self._mutant(Heard(hook, raw, reply))
        await reply.respond()(scope, receive, send)

    def _reply(self, hook: str, request: Request, raw: bytes) -> Reply:
        if not self._knows(request.headers.get("authorization", "")):
            return Reply(401, {"status": 401, "title": "no token"}, "application/problem+json")
        try:
            asked = self._read(hook, request, raw)
        except Bad as bad:
            return Reply(bad.status, {"status": bad.status, "title": "refused"}, "application/problem+json")
        self.heard.append((hook, asked.get("user", {}).get("login"), raw))
        if hook in _NA:
            return Reply(200, {"response": {}})
        if hook == "policymap":
            value = asked["user"].get(asked["cymmetrifield"], asked["defaultValue"])
            return Reply(200, {"response": {"mappedValue": str(value)}})
        if hook == "rundeprovision":
            return Reply(200, {"response": {"data": True}})
        assert hook in _BACK, hook
        code = self._clash(asked["user"]) if hook.startswith("validate") else None
        if code:
            return Reply(200, {"response": {"error": True, "message": code}})
        return Reply(200, {"response": {"data": asked["user"]}})

    def _read(self, hook: str, request: Request, raw: bytes) -> dict[str, Any]:
        if request.headers.get("content-type") != "application/json" or "content-encoding" in request.headers:
            raise Bad(415)
        if len(raw) > _MOST:
            raise Bad(413)
        if raw.count(b'{"more"') > 64:
            raise Bad(400)
        try:
            body = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_never)
            if hook == "test":
                return body
            assert isinstance(body["request"]["user"]["login"], str)
        except (ValueError, KeyError, TypeError, AssertionError) as error:
            raise Bad(400) from error
        return body["request"]

    def _knows(self, authorization: str) -> bool:
        signed, _, mac = authorization.removeprefix("Bearer ").rpartition(".")
        due = hmac.new(self._secret, signed.encode(), hashlib.sha256).digest()
        return hmac.compare_digest(base64.urlsafe_b64encode(due).rstrip(b"=").decode(), mac)

    def _clash(self, user: dict[str, Any]) -> str | None:
        values = {name: self._normal(name, user[name]) for name in self._unique}
        for name, value in values.items():
            if self._owners.get((name, value), user["login"]) != user["login"]:
                return f"{name.capitalize()}AlreadyExist"
        if "login" in values and user.get("id") is None and ("known", user["login"]) in self._owners:
            return "LoginAlreadyExist"
        for name, value in values.items():
            self._owners[name, value] = user["login"]
        return None

    def forget_nothing(self) -> None:
        """From now on every login seen is a known user, as after their postCreateUser."""
        for (name, value), owner in list(self._owners.items()):
            if name == "login":
                self._owners["known", value] = owner

    def _normal(self, name: str, value: str) -> str:
        if name != "mobile" or not self._digits:
            return value
        return re.sub(r"\D", "", value)[-10:]


@contextmanager
def serving(app: Receiver, port: int = 0) -> Generator[str]:
    """Serves on loopback in a thread, and yields the address with the prefix."""
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    server = uvicorn.Server(
        uvicorn.Config(
            app, lifespan="off", log_level="critical", http="httptools", timeout_graceful_shutdown=1
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/webhook"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def only(hook: str, change: Callable[[Reply], Reply]) -> Mutant:
    """Wrong in the answers to well-formed calls of one hook."""
    return lambda heard: (
        change(heard.right) if heard.hook == hook and heard.right.status == 200 else heard.right
    )


def with_user(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Reply], Reply]:
    """Changes the user that is given back."""

    def change_reply(reply: Reply) -> Reply:
        user = reply.body["response"].get("data")
        return reply if user is None else replace(reply, body={"response": {"data": change(user)}})

    return change_reply


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _never(_name: str) -> Any:
    raise ValueError

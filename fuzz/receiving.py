"""The whole receive path but for the store: what may be said, and kept, of whatever octets come."""

import asyncio
import base64
import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import Mock
from uuid import UUID

from starlette.requests import Request
from starlette.types import Message

from activities._planning import Planner
from api.auth import Verifier, mint
from api.receive import Receiver
from api.spooled import Event, read, write
from api.unrecorded import now
from hooks import by_name
from hooks.secrets import CUT
from hooks.unknown import UNKNOWN
from ledger.receive import Delivery
from runtime.bell import Bell
from runtime.configuration import compiled
from settings import Settings, load

HOOKS = [*sorted(by_name().values(), key=lambda hook: hook.name), UNKNOWN]
"""An input's first octet says which of them is called."""
GOOD, OTHER_TYPE, OWN_TOKEN = range(3)
"""What an input's second octet says: a good call; one of another type; one whose token is the first line that follows."""
_CONFIGURATION = """
fingerprint_key = { file = "key" }
[store]
url = { file = "url" }
[tenants.as100.token]
keys = [{ secret = { file = "key" } }]
[tenants.as100.deprovision]
answer = "always"
[tenants.as100.rules]
mode = "on"
"""
_NEVER_KEPT = frozenset({"passwordtext", "password", "securityquestion"})
_NOBODY = UUID(int=0)
_YEAR = 365 * 86_400


class Wrong(AssertionError):
    """What must never be; the text says what."""


class _Store:
    """Takes everything, and says of it what receive() says of a first call."""

    def __init__(self) -> None:
        self.given: tuple[Any, ...] = ()

    async def acquire(self) -> "_Store":
        return self

    async def release(self, _: object) -> None:
        """There is one."""

    async def fetchrow(self, _: str, *given: Any) -> tuple[Any, ...]:
        self.given = given
        return _NOBODY, 1, "user-lifecycle:as100:someone", given[16], [], None, False, 0, ()


class _Noting:
    """What is recorded of a call, before it is recorded."""

    def __init__(self, receiver: Receiver) -> None:
        self._of = receiver.deliveries.of
        self.delivery: Delivery | None = None
        receiver.deliveries.of = self  # pyright: ignore[reportAttributeAccessIssue]

    def __call__(self, *given: Any) -> Delivery:
        self.delivery = self._of(*given)
        return self.delivery


class Edge:
    """One receiver whose store is a stub."""

    def __init__(self) -> None:
        settings = _settings()
        self.store = _Store()
        self.receiver = Receiver(
            settings,
            compiled(settings),
            Verifier(settings.tenants, fingerprint_key=settings.fingerprint_key),
            Planner(settings.activities),
            Mock(spec=Bell, answering=0),
            self.store,  # pyright: ignore[reportArgumentType]
            Mock(),
            "fuzz",
        )
        self.noting = _Noting(self.receiver)
        self.token = mint("as100", settings, life=3000).encode()
        self.loop = asyncio.new_event_loop()

    def call(self, data: bytes) -> None:
        """Makes the call that an input stands for. Raises Wrong."""
        hook = HOOKS[data[0] % len(HOOKS)]
        kind, token, body = b"application/json", self.token, data[2:]
        if data[1] == OTHER_TYPE:
            kind, _, body = body.partition(b"\n")
        elif data[1] == OWN_TOKEN:
            token, _, body = body.partition(b"\n")
        self.noting.delivery, self.store.given = None, ()
        request = _request(body, token, kind)
        name = "hookOfTomorrow" if hook is UNKNOWN else ""
        answer = self.loop.run_until_complete(self.receiver(hook, request, name))
        if answer.status_code >= 500:
            raise Wrong(f"{hook.name} was answered {answer.status_code}")
        said = json.loads(bytes(answer.body))
        if answer.status_code == 200:
            self._recorded(json.loads(body), said)
        elif self.store.given:
            raise Wrong(f"{hook.name} was recorded, but answered {answer.status_code}")

    def _recorded(self, sent: Any, said: Any) -> None:
        delivery = self.noting.delivery
        if delivery is None or not self.store.given:
            raise Wrong("answered well, but not recorded")
        # What the driver sends is UTF-8: half a surrogate pair would end here.
        for value in self.store.given:
            if isinstance(value, str):
                value.encode()
        for secret in _secrets(json.loads(delivery.body)):
            raise Wrong(f"{secret} is kept")
        event = write(Event(delivery, now()))
        if write(read(event)) != event:
            raise Wrong("the spool gives back another delivery")
        data = said["response"].get("data")
        if delivery.hook in ("validateUser", "validateUpdateUser") and data != sent["request"]["user"]:
            raise Wrong("the user is answered otherwise than sent")


def _secrets(kept: Any) -> Iterator[str]:
    """Names under which a secret stands in what is kept."""
    if isinstance(kept, dict):
        for name, value in kept.items():  # pyright: ignore[reportUnknownVariableType]
            harmless = value is None or value in (CUT, "", {}, [], True, False, "true", "false")
            if str(name).lower() in _NEVER_KEPT and not harmless:  # pyright: ignore[reportUnknownArgumentType]
                yield str(name)  # pyright: ignore[reportUnknownArgumentType]
            yield from _secrets(value)
    elif isinstance(kept, list):
        for value in kept:  # pyright: ignore[reportUnknownVariableType]
            yield from _secrets(value)


def _request(body: bytes, token: bytes, kind: bytes) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    headers = [(b"authorization", b"Bearer " + token), (b"content-type", kind)]
    return Request(
        {"type": "http", "method": "POST", "path": "/", "headers": headers, "client": ("127.0.0.1", 1)},
        receive,
    )


def _settings() -> Settings:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "key").write_bytes(base64.b64encode(bytes(range(48))))
        (folder / "url").write_text("postgresql://nobody:nothing@127.0.0.1:1/none")
        (folder / "hookledger.toml").write_text(_CONFIGURATION)
        return load(folder / "hookledger.toml")


@cache
def _edge() -> Edge:
    return Edge()


def check(data: bytes) -> None:
    """One input. Raises Wrong, or whatever escaped."""
    if len(data) > 1:
        _edge().call(data)


def seeds() -> Iterator[bytes]:
    """Inputs to grow from: each hook as the platform's page has it, and a call of another type and another token."""
    for place, hook in enumerate(HOOKS):
        body = json.dumps({"request": hook.sample or {}}).encode()
        yield bytes((place, GOOD)) + body
        yield bytes((place, OTHER_TYPE)) + b"application/json; charset=utf-8\n" + body
        yield bytes((place, OWN_TOKEN)) + b"e30.e30.e30\n" + body

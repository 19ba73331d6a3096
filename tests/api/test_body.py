"""Bodies that broke other systems (CASES 26): a problem that echoes nothing, recorded as refused, process healthy."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest

from hooks import by_name
from ledger.engine import Pool
from settings import Store
from tests.api.edge import Edge, Logged, written
from tests.api.leaks import ANSWER, PASSWORD, assert_nowhere
from tests.support import rows

pytestmark = pytest.mark.usefixtures("nothing_leaks")

HIDDEN = f'"passwordText":"{PASSWORD}"'


def _user(inner: str) -> str:
    return f'{{"request":{{"user":{{"login":"bodies",{inner}}},{HIDDEN}}}}}'


@dataclass(frozen=True)
class Bad:
    """A body that must be refused with a status and a code."""

    name: str
    status: int
    code: str
    body: bytes | str
    headers: dict[str, str] = field(default_factory=dict[str, str])


BAD = [
    Bad("nothing", 400, "bad_json", ""),
    Bad("half", 400, "bad_json", _user('"a":1')[:-2]),
    Bad("two", 400, "bad_json", _user('"a":1') + "{}"),
    Bad("trailing comma", 400, "bad_json", _user('"a":[1,]')),
    Bad("single quotes", 400, "bad_json", f"{{'passwordText': '{PASSWORD}'}}"),
    Bad("control character", 400, "bad_json", _user('"a":"\x01"')),
    Bad("list", 400, "not_an_object", f'[{{{HIDDEN}}}]'),
    Bad("text", 400, "not_an_object", f'"{PASSWORD}"'),
    Bad("request twice", 400, "bad_json", f'{{"request":{{{HIDDEN}}},"request":{{}}}}'),
    Bad("name twice deep", 400, "bad_json", _user(f'"a":[{{"b":1,"b":"{ANSWER}"}}]')),
    Bad("NaN", 400, "bad_json", _user('"a":NaN')),
    Bad("Infinity", 400, "bad_json", _user('"a":-Infinity')),
    Bad("too large a number", 400, "bad_json", _user('"a":1e999')),
    Bad("too long a number", 400, "bad_json", _user(f'"a":{"9" * 5000}')),
    Bad("byte order mark", 400, "byte_order_mark", "\ufeff" + _user('"a":1')),
    Bad("UTF-16", 400, "not_utf8", _user('"a":1').encode("utf-16")),
    Bad("Latin-1", 400, "not_utf8", _user('"a":"é"').encode("latin-1")),
    Bad("cut character", 400, "not_utf8", _user('"a":1').encode()[:-3] + b"\xe2\x82"),
    Bad("encoded half character", 400, "not_utf8", _user('"a":"').encode() + b"\xed\xa0\x80"),
    Bad("half surrogate", 400, "bad_json", _user('"a":"\\ud800"')),
    Bad("half surrogate in a name", 400, "bad_json", _user('"\\udfffa":1')),
    Bad("half surrogate in a secret", 400, "bad_json", _user('"password":"\\ud800"')),
    Bad("200 levels", 400, "too_deep", _user('"a":' + "[" * 200 + "]" * 200)),
    Bad("200 levels of objects", 400, "too_deep", _user('"a":' + '{"b":' * 200 + "1" + "}" * 200)),
    Bad("200 levels under a half", 400, "too_deep", _user('"a":' + "[" * 200 + '"\\n"' + "]" * 200)),
    Bad("100,000 levels", 400, "too_deep", _user('"a":' + "[" * 100_000 + "]" * 100_000)),
    Bad("10 MB", 413, "too_large", _user(f'"a":"{"x" * 10_000_000}"')),
    Bad("gzip", 415, "encoded", gzip.compress(_user('"a":1').encode()), {"Content-Encoding": "gzip"}),
    Bad("form", 415, "not_json", f"passwordText={PASSWORD}", {"Content-Type": "application/x-www-form-urlencoded"}),
    Bad("plain", 415, "not_json", _user('"a":1'), {"Content-Type": "text/plain; application/json"}),
    Bad("no request", 422, "missing_key", f"{{{HIDDEN}}}"),
    Bad("request is a list", 422, "missing_key", f'{{"request":["{PASSWORD}"]}}'),
    Bad("no user", 422, "missing_key", f'{{"request":{{{HIDDEN}}}}}'),
    Bad("user is a text", 422, "missing_key", f'{{"request":{{"user":"{PASSWORD}"}}}}'),
    Bad("no login", 422, "missing_key", f'{{"request":{{"user":{{"password":"{PASSWORD}"}}}}}}'),
    Bad("login is a number", 422, "missing_key", '{"request":{"user":{"login":7}}}'),
    Bad("login is blank", 422, "missing_key", '{"request":{"user":{"login":" \\t"}}}'),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
async def test_a_bad_body_is_a_problem_without_echo(edge: Edge, store: Store, log: Logged, bad: Bad) -> None:
    got = await edge.send("/webhook/validateUser", bad.body, **bad.headers)

    assert (got.status_code, got.headers["content-type"]) == (bad.status, "application/problem+json")
    problem = got.json()
    assert (problem["type"], problem["status"]) == (f"urn:hookledger:problem:{bad.code}", bad.status)
    assert set(problem) == {"type", "title", "status", "detail", "receipt"}
    for sent in (PASSWORD, ANSWER, "bodies", "xxx", "9" * 20):
        assert sent not in got.text
    assert (await edge.send("/webhook/test", "{}")).json() == {"response": {}}
    await assert_nowhere(store, log.lines)


async def test_refused_calls_are_recorded_in_words(edge: Edge, pool: Pool) -> None:
    """A ring for operators: what each was, in our words only."""
    receipts: dict[str, Bad] = {}
    for bad in BAD:
        got = await edge.send("/webhook/changePassword", bad.body, "as200", **bad.headers)
        receipts[got.json()["receipt"]] = bad
    kept = {row["receipt"]: row for row in await written(pool, "tenant = $1", "as200", least=len(BAD))}

    for receipt, bad in receipts.items():
        refusal = kept[receipt]
        assert (refusal["hook"], refusal["status"], refusal["reason"]) == (
            "changePassword",
            bad.status,
            bad.code,
        )
        assert refusal["words"].endswith(".")


async def test_a_password_without_user_leaves_no_trace(edge: Edge, pool: Pool) -> None:
    """CASES 1: frameworks that echo the input show the password to whoever reads the answer."""
    before = await rows(pool, "SELECT count(*) AS n FROM deliveries")

    got = await edge.hook("changePassword", {"passwordText": PASSWORD})

    assert got.status_code == 422
    assert got.json()["detail"] == "The body must have request.user: an object."
    assert PASSWORD not in got.text
    assert await rows(pool, "SELECT count(*) AS n FROM deliveries") == before


@pytest.mark.parametrize("name", sorted(by_name()))
async def test_every_hook_bounds_the_depth(edge: Edge, name: str) -> None:
    deep: list[object] = []
    for _ in range(200):
        deep = [deep]

    got = await edge.hook(name, {"user": {"login": "bodies"}, "targetAttribute": "x", "formVeriable": deep})

    assert (got.status_code, got.json()["type"]) == (400, "urn:hookledger:problem:too_deep")


async def test_chunked_bodies_are_read_and_bounded(edge: Edge) -> None:
    async def chunks(size: int) -> AsyncGenerator[bytes]:
        yield b'{"request":{"user":{"login":"chunked","a":"'
        for _ in range(size):
            yield b"x" * 65_536
        yield b'"}}}'

    url = f"http://127.0.0.1:{edge.port}/webhook/preUpdateUser"
    small = await edge.http.post(url, headers=edge.headers(), content=chunks(2))
    assert small.status_code == 200
    assert len(small.json()["response"]["data"]["a"]) == 131_072
    large = await edge.http.post(url, headers=edge.headers(), content=chunks(40))
    assert large.status_code == 413


async def test_a_chunked_body_that_is_cut_short(edge: Edge, pool: Pool) -> None:
    before = await rows(pool, "SELECT count(*) AS n FROM deliveries WHERE hook = 'postCreateUser'")
    _, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    head = f"POST /webhook/postCreateUser HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {edge.token()}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    writer.write(head.encode() + b'20\r\n{"request":{"user":{"login":"cut"')
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()

    [refusal] = await written(pool, "reason = 'cut_short' AND hook = 'postCreateUser'")
    assert refusal["status"] == 400
    assert await rows(pool, "SELECT count(*) AS n FROM deliveries WHERE hook = 'postCreateUser'") == before
    assert (await edge.send("/webhook/test", "{}")).status_code == 200


async def test_the_body_is_not_read_before_the_token_is_checked(edge: Edge) -> None:
    """The answer comes while the body, promised to be long, has not been sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(b"POST /webhook/test HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")

    head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 2)

    writer.close()
    assert head.startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON"])
async def test_media_types_that_are_json(edge: Edge, media_type: str) -> None:
    got = await edge.send("/webhook/test", json.dumps({}), Content_Type=media_type)

    assert got.status_code == 200

"""The attacks on the door, as octets on a socket: what is sent, what must be answered, and which reference asks for it.

A row's `send` is given the good token of tenant as100 and gives the whole call. `answers` are the statuses that may come
first; none means that the connection is closed without one. `code` is what the problem must be called, where only that
shows who turned the call away. docs/attacks.md is this table.
"""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import jwt

SECRET = "Sentinel-Passw0rd-7f3a"
LOGIN = "attacked"
BODY = json.dumps({"request": {"user": {"login": LOGIN}, "passwordText": SECRET}}).encode()


@dataclass(frozen=True)
class Given:
    """What an attacker may have: a good token, its key for forging, and another tenant's key."""

    token: str
    key: bytes
    other: bytes


@dataclass(frozen=True)
class Attack:
    """One row."""

    name: str
    reference: str
    answers: tuple[int, ...]
    send: Callable[[Given], bytes]
    code: str = ""


def part(value: Any) -> str:
    """One part of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changed: Any) -> dict[str, Any]:
    """Good claims, some of them changed; `...` leaves one out."""
    now = int(time.time())
    good = {"sub": "admin", "tenantId": "as100", "iat": now, "exp": now + 60} | changed
    return {name: value for name, value in good.items() if value is not ...}


def signed(key: bytes, header: Any = None, said: Any = None, algorithm: str = "HS256") -> str:
    """Any header and claims, as octets or JSON, under a signature of that key."""
    head = part({"alg": "HS256"} if header is None else header)
    text = f"{head}.{part(claims() if said is None else said)}"
    return f"{text}.{part(jwt.get_algorithm_by_name(algorithm).sign(text.encode(), key))}"


def call(
    *headers: str,
    path: str = "/webhook/changePassword",
    method: str = "POST",
    body: bytes = BODY,
    length: bool = True,
) -> bytes:
    """A call with exactly these headers beside Host."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1", "surrogateescape") + body


def with_token(token: str, *headers: str, **more: Any) -> bytes:
    """A call with that token, else as it should be."""
    return call(f"Authorization: Bearer {token}", "Content-Type: application/json", *headers, **more)


def _token(name: str, reference: str, make: Callable[[Given], str], *answers: int) -> Attack:
    return Attack(name, reference, answers or (401,), lambda given: with_token(make(given)))


def _headers(name: str, reference: str, answers: tuple[int, ...], *headers: str, **more: Any) -> Attack:
    """`{token}` in a header is the good token."""
    return Attack(
        name, reference, answers, lambda given: call(*(h.format(token=given.token) for h in headers), **more)
    )


def _body(name: str, reference: str, body: bytes, *answers: int, kind: str = "application/json") -> Attack:
    return Attack(
        name,
        reference,
        answers or (400,),
        lambda given: call(f"Authorization: Bearer {given.token}", f"Content-Type: {kind}", body=body),
    )


def _user(inner: str) -> bytes:
    return f'{{"request":{{"user":{{"login":"{LOGIN}",{inner}}},"passwordText":"{SECRET}"}}}}'.encode()


_GOOD = ("Authorization: Bearer {token}", "Content-Type: application/json")
_SMUGGLED = b"POST /webhook/test HTTP/1.1\r\nHost: x\r\n\r\n"
_CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
_PUBLIC = b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"

TOKENS = [
    _token("no signature: alg none", "RFC 8725 §3.1, ASVS 9.1.2", lambda g: f"{part({'alg': 'none'})}.{part(claims())}."),
    *(
        _token(f"alg {alg}, signed as HS256", "RFC 8725 §2.1, §3.1, ASVS 9.1.2", lambda g, a=alg: signed(g.key, {"alg": a}))
        for alg in ("none", "None", "NONE", "nOnE", "RS256", "ES256", "EdDSA", "HS384", "HS512", "hs256", "")
    ),
    _token("alg is missing", "RFC 8725 §3.1", lambda g: signed(g.key, {"typ": "JWT"})),
    _token("alg is a list", "RFC 8725 §3.1", lambda g: signed(g.key, {"alg": ["HS256"]})),
    _token("an empty signature", "RFC 8725 §3.3, ASVS 9.1.1", lambda g: signed(g.key).rpartition(".")[0] + "."),
    _token("a signature of zeros", "RFC 8725 §3.3, ASVS 9.1.1", lambda g: signed(g.key).rpartition(".")[0] + "." + part(bytes(32))),
    _token("a signature cut short", "RFC 8725 §3.3", lambda g: signed(g.key)[:-4]),
    _token("a public key as the shared secret", "RFC 8725 §2.1, ASVS 9.1.2", lambda g: signed(_PUBLIC)),
    _token("an empty key", "RFC 8725 §3.5", lambda g: signed(b"\0")),
    *(
        _token(f"a key by {name} in the header: {str(value)[:20]}", "RFC 8725 §3.10, ASVS 9.1.3", lambda g, n=name, v=value: signed(b"attacker" * 8, {"alg": "HS256", n: v}))
        for name, value in (
            ("kid", "../../../../dev/null"),
            ("kid", "' UNION SELECT 'attackerattacker' --"),
            ("jku", "http://127.0.0.1:1/keys"),
            ("x5u", "http://127.0.0.1:1/chain"),
            ("jwk", {"kty": "oct", "k": part(b"attacker" * 8)}),
            ("x5c", ["MIIB"]),
        )
    ),
    _token("crit that nobody understands", "RFC 7515 §4.1.11", lambda g: signed(g.key, {"alg": "HS256", "crit": ["exp"], "exp": 1})),
    _token("an unencoded payload (b64 false)", "RFC 7797 §6", lambda g: signed(g.key, {"alg": "HS256", "b64": False, "crit": ["b64"]})),
    _token("claims twice, the second one good", "RFC 8725 §2.4, RFC 7519 §4", lambda g: signed(g.key, None, json.dumps(claims())[:-1].encode() + b',"tenantId":"as200"}')),
    _token("header members twice", "RFC 7515 §4", lambda g: signed(g.key, b'{"alg":"none","alg":"HS256"}')),
    _token("a token in a token", "RFC 8725 §3.1", lambda g: signed(g.key, {"alg": "HS256", "cty": "JWT"}, signed(g.key).encode())),
    _token("claims that are a list", "RFC 7519 §7.2", lambda g: signed(g.key, None, [claims()])),
    _token("a life of ten years", "ASVS 9.2.1", lambda g: signed(g.key, None, claims(exp=int(time.time()) + 315_360_000))),
    _token("no expiry", "ASVS 9.2.1", lambda g: signed(g.key, None, claims(exp=...))),
    _token("expired an hour ago", "ASVS 9.2.1, RFC 6750 §3.1", lambda g: signed(g.key, None, claims(exp=int(time.time()) - 3600, iat=...))),
    *(
        _token(f"exp is {json.dumps(value)}", "RFC 7519 §2, ASVS 9.2.1", lambda g, v=value: signed(g.key, None, claims(exp=v)))
        for value in cast("list[Any]", ["2100-01-01", True, -1, [], {}, 1e300, None])
    ),
    _token("exp is 1e400", "RFC 8259 §6", lambda g: signed(g.key, None, json.dumps(claims())[:-1].replace('"exp"', '"was"').encode() + b',"exp":1e400}')),
    _token("issued tomorrow", "ASVS 9.2.1", lambda g: signed(g.key, None, claims(iat=int(time.time()) + 86_000, exp=int(time.time()) + 86_060))),
    _token("not before tomorrow", "ASVS 9.2.1", lambda g: signed(g.key, None, claims(nbf=int(time.time()) + 86_000))),
    _token("another tenant's key, this tenant's name", "RFC 8725 §3.8, ASVS 8.4.1", lambda g: signed(g.other), 403),
    _token("no tenant", "RFC 8725 §3.8", lambda g: signed(g.key, None, claims(tenantId=...))),
    _token("a tenant nobody has", "RFC 8725 §3.8", lambda g: signed(g.key, None, claims(tenantId="nobody")), 401, 403),
    _token("another spelling of the last character", "RFC 7515 §2", lambda g: _respelt(g.token)),
    _token("padding", "RFC 7515 §2", lambda g: g.token + "="),
    _token("five parts, as an encrypted token has", "RFC 7516 §3.1", lambda g: g.token + ".a.b"),
    _token("a token of 9,000 characters", "RFC 8725 §3.3, ASVS 4.2.5", lambda g: signed(g.key, None, claims(pad="x" * 9_000))),
]  # fmt: skip


def _respelt(token: str) -> str:
    """The last character of 43 holds two bits that nobody reads."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


BEARERS = [
    _headers("no token", "RFC 6750 §3", (401,), "Content-Type: application/json"),
    _headers("two Authorization headers", "RFC 6750 §2", (401,), _GOOD[0], "Authorization: Bearer x", _GOOD[1]),
    _headers("the good one twice", "RFC 6750 §2", (401,), _GOOD[0], *_GOOD),
    _headers("two tokens in one header", "RFC 6750 §2.1", (401,), "Authorization: Bearer {token}, Bearer {token}", _GOOD[1]),
    _headers("two tokens by a blank", "RFC 6750 §2.1", (401,), "Authorization: Bearer {token} {token}", _GOOD[1]),
    _headers("a token with a no-break space", "RFC 6750 §2.1", (401,), "Authorization: Bearer {token}\xa0", _GOOD[1]),
    _headers("another scheme", "RFC 6750 §2.1", (401,), "Authorization: Basic {token}", _GOOD[1]),
    _headers("no scheme", "RFC 6750 §2.1", (401,), "Authorization: {token}", _GOOD[1]),
    Attack("a token in the address", "RFC 6750 §2.3, §5.3, ASVS 14.2.1", (401,), lambda g: call(_GOOD[1], path=f"/webhook/changePassword?access_token={g.token}")),
    Attack("a token in the body", "RFC 6750 §2.2", (401,), lambda g: call("Content-Type: application/x-www-form-urlencoded", body=f"access_token={g.token}".encode())),
    Attack("a token in a cookie", "RFC 6750 §5.3", (401,), lambda g: call(_GOOD[1], f"Cookie: access_token={g.token}")),
    _headers("a token in X-Authorization", "RFC 6750 §2", (401,), "X-Authorization: Bearer {token}", _GOOD[1]),
]  # fmt: skip

MESSAGES = [
    _headers("two lengths that differ", "RFC 9112 §6.3, ASVS 4.2.1", (400,), *_GOOD, "Content-Length: 5"),
    _headers("a length and chunks", "RFC 9112 §6.1, ASVS 4.2.1", (400,), *_GOOD, "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + _SMUGGLED),
    _headers("chunks, spelt oddly, and a length", "RFC 9112 §6.1, ASVS 4.2.1", (400,), *_GOOD, "Transfer-Encoding: xchunked"),
    _headers("chunks twice", "RFC 9112 §6.1, ASVS 4.2.1", (400,), *_GOOD, "Transfer-Encoding: chunked", "Transfer-Encoding: identity", body=b"0\r\n\r\n" + _SMUGGLED, length=False),
    _headers("a blank before the colon", "RFC 9112 §5.1, ASVS 4.2.1", (400,), *_GOOD, "Transfer-Encoding : chunked"),
    _headers("a negative length", "RFC 9112 §6.3", (400,), *_GOOD, "Content-Length: -1", length=False),
    _headers("a length with a plus", "RFC 9112 §6.3", (400,), *_GOOD, "Content-Length: +5", length=False),
    _headers("a length in hex", "RFC 9112 §6.3", (400,), *_GOOD, "Content-Length: 0x5", length=False),
    _headers("a length of 5,000 digits", "RFC 9112 §6.3, ASVS 4.2.5", (400,), *_GOOD, "Content-Length: " + "9" * 5000, length=False),
    _headers("a chunk's size that overflows", "RFC 9112 §7.1", (400,), *_GOOD, "Transfer-Encoding: chunked", body=b"fffffffffffffffff\r\nx", length=False),
    _headers("a chunk's size that is none", "RFC 9112 §7.1", (400,), *_GOOD, "Transfer-Encoding: chunked", body=b"zz\r\nx\r\n0\r\n\r\n", length=False),
    _headers("NUL in a header", "RFC 9110 §5.5", (400,), *_GOOD, "X-A: a\0b"),
    _headers("a header over two lines", "RFC 9112 §5.2", (400, 401), _GOOD[1], "Authorization: Bearer", " {token}"),
    _headers("a header of 100,000 characters", "ASVS 4.2.5", (400, 431), *_GOOD, "X-A: " + "a" * 100_000),
    _headers("an address of 100,000 characters", "ASVS 4.2.5", (400, 414, 431), *_GOOD, path="/webhook/" + "a" * 100_000),
    Attack("no HTTP at all", "RFC 9112 §2.2", (400,), lambda g: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20) + b"\r\n\r\n"),
    Attack("a second call behind the body", "RFC 9112 §9.3.2, ASVS 4.2.1", (200,), lambda g: with_token(g.token, path="/webhook/test", body=b"{}") + _SMUGGLED),
]  # fmt: skip

METHODS = [
    *(
        _headers(f"method {method}", "ASVS 4.1.4", (404, 405), *_GOOD, method=method)
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
    ),
    _headers("a method of the attacker's own", "RFC 9110 §9.1", (400, 404, 405), *_GOOD, method="POSTT"),
    *(
        _headers(f"GET that says POST in {name}", "ASVS 4.1.4", (404, 405), *_GOOD, f"{name}: POST", method="GET")
        for name in ("X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method")
    ),
    *(
        _headers(f"path {path}", "RFC 3986 §6.2.2, ASVS 2.2.1", (400, 404, 405), *_GOOD, path=path)
        for path in (
            "/webhook/../changePassword",
            "/webhook/%2e%2e/changePassword",
            "/%77ebhook%2f..%2fchangePassword/x/y",
            "/webhoo%E2%84%AA/changePassword",
            "/webhook/change%00Password",
            "/webhook%00/changePassword",
            "/webhook/%c0%afchangePassword",
            "/health/../webhookx/changePassword",
            "/webhook.php/changePassword",
            "/docs/../../etc/passwd",
            "/webhook%2FchangePassword",
            "/webhook/%2fchangePassword",
        )
    ),
    _headers("X-Original-URL", "ASVS 4.1.3", (404,), *_GOOD, "X-Original-URL: /webhook/changePassword", "X-Rewrite-URL: /webhook/changePassword", path="/nothing"),
]  # fmt: skip

BODIES = [
    _body("a name twice", "RFC 8259 §4, RFC 7493 §2.3, ASVS 2.2.1", _user('"a":1,"a":2')),
    _body("a name twice, once escaped", "RFC 7493 §2.3", _user('"ab":1,"\\u0061b":2')),
    _body("request twice", "RFC 7493 §2.3, CASES 26", b'{"request":{"user":{"login":"x"}},"request":{"user":{"login":"y"}}}'),
    _body("NaN", "RFC 8259 §6, CASES 26", _user('"a":NaN')),
    _body("a number beyond what doubles hold", "RFC 7493 §2.2", _user('"a":1e999')),
    _body("a number of 5,000 digits", "RFC 7493 §2.2", _user(f'"a":{"9" * 5000}')),
    _body("a byte order mark", "RFC 8259 §8.1, CASES 26", b"\xef\xbb\xbf" + _user('"a":1')),
    _body("UTF-16", "RFC 8259 §8.1", _user('"a":1').decode().encode("utf-16"), kind="application/json; charset=utf-16"),
    _body("UTF-7", "RFC 8259 §8.1", b"+AHsAIg-request+ACI-:1+AH0-", kind="application/json; charset=utf-7"),
    _body("half a character", "RFC 3629 §3, CASES 26", _user('"a":"').replace(b'"a":"', b'"a":"\xed\xa0\x80"')),
    _body("half a surrogate pair", "RFC 7493 §2.1", _user('"a":"\\ud800"')),
    _body("overlong UTF-8", "RFC 3629 §10", _user('"a":"X"').replace(b"X", b"\xc0\xaf")),
    _body("NUL in text", "RFC 8259 §7", _user('"a":"\\u0000"').replace(LOGIN.encode(), b"nul\\u0000led"), 200, 400, 422),
    _body("a comment", "RFC 8259 §2", _user('"a":1/**/')),
    _body("a comma too many", "RFC 8259 §4", _user('"a":[1,]')),
    _body("single quotes", "RFC 8259 §7", _user("'a':1")),
    _body("garbage behind", "RFC 8259 §2", _user('"a":1') + b"{}"),
    _body("200 levels", "RFC 8259 §9, CASES 26", _user('"a":' + "[" * 200 + "]" * 200)),
    _body("100,000 levels", "RFC 8259 §9", _user('"a":' + "[" * 100_000 + "]" * 100_000)),
    _body("a list", "ASVS 2.2.1", b'[{"request":{}}]'),
    _body("2 MB", "RFC 9110 §15.5.14, CASES 26", _user(f'"a":"{"x" * 2_000_000}"'), 413),
    _body("a form", "ASVS 4.1.1", b"request=x", 415, kind="application/x-www-form-urlencoded"),
    _body("several parts", "ASVS 4.1.1", BODY, 415, kind="multipart/form-data; boundary=x"),
    _body("JSON called XML", "ASVS 4.1.1", BODY, 415, kind="application/xml"),
    _body("JSON in a parameter of text", "ASVS 4.1.1", BODY, 415, kind="text/plain; application/json"),
    *(
        Attack(
            f"coded as {coding}", "RFC 9110 §8.4, CASES 26", (415,),
            lambda g, c=coding: with_token(g.token, f"Content-Encoding: {c}"),
        )
        for coding in ("gzip", "deflate", "br", "zstd", "identity, gzip")
    ),
    _body("no user but a password", "ASVS 16.5.1, CASES 1", b'{"request":{"passwordText":"' + SECRET.encode() + b'"}}', 422),
]  # fmt: skip

ALL: dict[str, list[Attack]] = {
    "Tokens": TOKENS,
    "Where the token is": BEARERS,
    "The message": MESSAGES,
    "Methods and paths": METHODS,
    "Bodies": BODIES,
}


def _asked(attack: Attack) -> Attack:
    """The same at the listener of questions, whose bearers are keys."""

    def send(given: Given) -> bytes:
        return attack.send(given).replace(b" /webhook/changePassword", b" /ledger/keys", 1)

    return replace(attack, send=send)


def asking(label: str, more: str = "") -> bytes:
    """The body of a call that makes a key; with a good label, and nothing more, it is taken."""
    return f'{{"role":"auditor","reason":"a test","tenant":"as100","label":{label}{more}}}'.encode()


def _question(
    name: str,
    reference: str,
    body: bytes,
    status: int = 400,
    code: str = "bad_json",
    kind: str = "application/json",
    *headers: str,
) -> Attack:
    def send(given: Given) -> bytes:
        bearer = f"Authorization: Bearer {given.token}"
        return call(bearer, f"Content-Type: {kind}", *headers, path="/ledger/keys", body=body)

    return Attack(name, reference, (status,), send, code)


KEYS = [
    _token("a token of the platform", "RFC 8725 §3.8", lambda g: signed(g.key)),
    _token("a key without its last character", "ASVS 11.4.1", lambda g: g.token[:-1]),
    _token("a key in capitals", "ASVS 6.3.1", lambda g: g.token.upper()),
    _token("a key with a character more", "ASVS 6.3.1", lambda g: g.token + "a"),
    _token("another key's checksum", "ASVS 6.3.1", lambda g: g.token[:-6] + "aaaaaa"),
    _token("a key with NUL behind it, as %00", "ASVS 2.2.1", lambda g: g.token + "%00"),
    _token("a key of 9,000 characters", "ASVS 4.2.5", lambda g: g.token + "a" * 9_000),
]  # fmt: skip

_LABEL = '"attacked"'
_TAKEN = asking(_LABEL)
"""Each fault is in this body or in how it is sent: but for that a key would be made."""

QUESTIONS = [
    _question("a name twice", "RFC 8259 §4, RFC 7493 §2.3, ASVS 2.2.1", asking(_LABEL, ',"role":"auditor"')),
    _question("a name twice, once escaped", "RFC 7493 §2.3", asking(_LABEL, ',"\\u0072ole":"auditor"')),
    _question("NaN", "RFC 8259 §6, CASES 26", asking("NaN")),
    _question("a number beyond what doubles hold", "RFC 7493 §2.2", asking("1e999")),
    _question("a number of 5,000 digits", "RFC 7493 §2.2", asking("9" * 5000)),
    _question("a byte order mark", "RFC 8259 §8.1, CASES 26", b"\xef\xbb\xbf" + _TAKEN, 400, "byte_order_mark"),
    _question("UTF-16", "RFC 8259 §8.1", _TAKEN.decode().encode("utf-16"), 400, "not_utf8", "application/json; charset=utf-16"),
    _question("UTF-16 without a mark", "RFC 8259 §8.1", _TAKEN.decode().encode("utf-16-le"), kind="application/json; charset=utf-16le"),
    _question("UTF-7", "RFC 8259 §8.1", _TAKEN.replace(b"{", b"+AHs-"), kind="application/json; charset=utf-7"),
    _question("half a character", "RFC 3629 §3, CASES 26", _TAKEN.replace(b"attacked", b"\xed\xa0\x80"), 400, "not_utf8"),
    _question("half a surrogate pair", "RFC 7493 §2.1", asking('"\\ud800"')),
    _question("overlong UTF-8", "RFC 3629 §10", _TAKEN.replace(b"attacked", b"\xc0\xaf"), 400, "not_utf8"),
    _question("NUL in text", "RFC 8259 §7", asking('"nul\\u0000led"'), 422, "bad_parameters"),
    _question("a comment", "RFC 8259 §2", asking(_LABEL, "/**/")),
    _question("a comma too many", "RFC 8259 §4", asking(_LABEL, ",")),
    _question("single quotes", "RFC 8259 §7", asking("'attacked'")),
    _question("garbage behind", "RFC 8259 §2", _TAKEN + b"{}"),
    _question("200 levels", "RFC 8259 §9, CASES 26", asking("[" * 200 + "]" * 200), 422, "bad_parameters"),
    _question("30,000 levels", "RFC 8259 §9", asking("[" * 30_000 + "]" * 30_000), 400, "too_deep"),
    _question("a list", "ASVS 2.2.1", b"[" + _TAKEN + b"]", 400, "not_an_object"),
    _question("2 MB", "RFC 9110 §15.5.14, CASES 26", _TAKEN + b" " * 2_000_000, 413, "too_large"),
    _question("a form", "ASVS 4.1.1", _TAKEN, 415, "not_json", "application/x-www-form-urlencoded"),
    _question("several parts", "ASVS 4.1.1", _TAKEN, 415, "not_json", "multipart/form-data; boundary=x"),
    _question("JSON called XML", "ASVS 4.1.1", _TAKEN, 415, "not_json", "application/xml"),
    _question("JSON in a parameter of text", "ASVS 4.1.1", _TAKEN, 415, "not_json", "text/plain; application/json"),
    *(
        _question(f"coded as {coding}", "RFC 9110 §8.4, CASES 26", _TAKEN, 415, "encoded", "application/json", f"Content-Encoding: {coding}")
        for coding in ("gzip", "deflate", "br", "zstd", "identity, gzip")
    ),
    _question("a member that nobody knows, with a password", "ASVS 2.2.1, 16.5.1", asking(_LABEL, f',"passwordText":"{SECRET}"'), 422, "bad_parameters"),
]  # fmt: skip

OF_THE_LEDGER: dict[str, list[Attack]] = {
    "Keys": [_asked(attack) for attack in KEYS],
    "Where the key is": [_asked(attack) for attack in BEARERS],
    "The message": [_asked(attack) for attack in MESSAGES if 200 not in attack.answers],
    "Bodies": QUESTIONS,
}
"""The listener of questions: the same attacks, and those on its keys."""

"""Authentication: what is let in, what is refused, with which words and headers, and that nothing leaks."""

import asyncio
import base64
import json
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.auth import Caller, Refusal, Verifier, mint
from settings import ConfigError, Deprovision, Key, Proof, Settings, Store, Tenant, Token

NOW = 1_800_000_000.0
SECRET = secrets.token_urlsafe(48)  # 64 characters: base64 of 48 bytes, and good as raw text
OTHER = secrets.token_urlsafe(48)
FINGERPRINT_KEY = b"f" * 100

Claims = dict[str, Any]


def _tenant(*keys: Key, **token: Any) -> Tenant:
    return Tenant(token=Token(keys=keys, **token), deprovision=Deprovision(answer="never"))


def _verifier(now: float = NOW, **tenants: Tenant) -> Verifier:
    tenants = tenants or {"as100": _tenant(Key(secret=SECRET))}
    return Verifier(tenants, fingerprint_key=FINGERPRINT_KEY, clock=lambda: now)


def _claims(**changed: Any) -> Claims:
    claims = {"sub": "admin", "delegatee": None, "tenantId": "as100", "userId": "6214db7bd661a57386a71f10"}
    claims |= {"iat": NOW, "exp": NOW + 60, **changed}
    return {name: value for name, value in claims.items() if value is not ...}


def _bearer(
    claims: Claims | None = None, key: str | bytes = SECRET, algorithm: str = "HS256", **header: Any
) -> str:
    return "Bearer " + jwt.encode(
        claims or _claims(), key, algorithm=algorithm, headers={"typ": None, **header}
    )


def _refused(authorization: str | None, verifier: Verifier | None = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        (verifier or _verifier()).verify(authorization)
    return caught.value


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _signed(header: Any, claims: Any) -> str:
    """A token of any bytes under a good signature."""
    algorithm = jwt.get_algorithm_by_name("HS256")
    signed = f"{_part(header)}.{_part(claims)}"
    return f"Bearer {signed}.{_part(algorithm.sign(signed.encode(), SECRET.encode()))}"


def test_the_caller_of_a_good_token() -> None:
    caller = _verifier().verify(_bearer(_claims(delegatee="asha")))

    assert caller == Caller(
        "as100", "admin", "6214db7bd661a57386a71f10", "asha", "current", caller.fingerprint
    )
    assert len(caller.fingerprint) == 32


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_each_algorithm_is_accepted_where_it_is_configured(algorithm: str) -> None:
    verifier = _verifier(as100=_tenant(Key(secret=SECRET), algorithm=algorithm))

    assert verifier.verify(_bearer(algorithm=algorithm)).tenant == "as100"
    for other in {"HS256", "HS384", "HS512"} - {algorithm}:
        assert _refused(_bearer(algorithm=other), verifier).reason == "unknown_algorithm"


def test_the_scheme_is_written_in_any_case() -> None:
    token = _bearer().removeprefix("Bearer ")

    assert _verifier().verify(f"bEaReR   {token} ").tenant == "as100"


def test_a_tenant_may_have_a_name_of_its_own_and_several_keys() -> None:
    keys = (Key(secret=OTHER, name="next"), Key(secret=SECRET, name="old"))
    verifier = _verifier(production=_tenant(*keys, tenant_id="as100"))

    caller = verifier.verify(_bearer())

    assert (caller.tenant, caller.key_name) == ("production", "old")


# CASES 6


def test_a_key_is_accepted_in_its_configured_encoding_only_and_the_other_one_is_hinted_at() -> None:
    decoded = base64.urlsafe_b64decode(SECRET)
    raw, encoded = _verifier(), _verifier(as100=_tenant(Key(secret=SECRET, encoding="base64")))

    assert raw.verify(_bearer(key=SECRET)).tenant == "as100"
    assert encoded.verify(_bearer(key=decoded)).tenant == "as100"
    refusals = _refused(_bearer(key=decoded), raw), _refused(_bearer(key=SECRET), encoded)
    assert [r.reason for r in refusals] == ["bad_signature"] * 2
    assert refusals[0].words == (
        'Key current would verify with the base64-decoded secret: set its encoding = "base64".'
    )
    assert (
        refusals[1].words == 'Key current would verify with the secret as raw text: set its encoding = "raw".'
    )


def test_white_space_around_a_secret_is_hinted_at() -> None:
    verifier = _verifier(as100=_tenant(Key(secret=SECRET + " ")))

    assert "without the white space" in _refused(_bearer(), verifier).words


# CASES 7


@pytest.mark.parametrize(
    ("changed", "reason", "words"),
    [
        ({"exp": ...}, "no_expiry", "The token has no expiry."),
        ({"exp": NOW - 312, "iat": NOW - 372}, "expired", "312 s ago, 372 s after it was issued"),
        ({"exp": NOW - 312, "iat": ...}, "expired", "The token expired 312 s ago: if it was fresh"),
        ({"exp": NOW - 30, "iat": NOW - 90}, "expired", "30 s ago"),
        ({"exp": NOW + 400, "iat": NOW + 312}, "not_yet_valid", "clock skew of 312 s"),
        ({"nbf": NOW + 100}, "not_yet_valid", "100 s in the future"),
        ({"exp": NOW + 86_401}, "too_long_a_life", "lives 86401 s; token.max_life allows 86400 s"),
        ({"exp": NOW + 86_401, "iat": ...}, "too_long_a_life", "lives 86401 s"),
        ({"exp": (NOW + 60) * 1000}, "malformed", "milliseconds"),
        ({"exp": str(NOW + 60)}, "malformed", "The claim exp"),
        ({"exp": True}, "malformed", "The claim exp"),
        ({"iat": 10**400}, "malformed", "The claim iat"),
    ],
)
def test_times(changed: Claims, reason: str, words: str) -> None:
    refusal = _refused(_signed({"alg": "HS256"}, _claims(**changed)))

    assert (refusal.reason, refusal.status, refusal.tenant) == (reason, 401, "as100")
    assert words in refusal.words


@pytest.mark.parametrize(
    "changed",
    [
        {"iat": NOW + 5},
        {"iat": NOW + 30, "exp": NOW + 90},
        {"exp": NOW - 29, "iat": NOW - 89},
        {"exp": NOW + 86_400},
        {"iat": ...},
        {"nbf": NOW - 1},
    ],
)
def test_times_within_the_leeway(changed: Claims) -> None:
    assert _verifier().verify(_bearer(_claims(**changed))).tenant == "as100"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "hs256", "RS256", "HS1", None, 7, ["HS256"]])
def test_an_algorithm_that_is_not_the_configured_one(alg: Any) -> None:
    assert _refused(_signed({"alg": alg}, _claims())).reason == "unknown_algorithm"
    assert _refused(f"Bearer {_part({'alg': alg})}.{_part(_claims())}.AA").reason == "unknown_algorithm"


def test_a_token_without_signature() -> None:
    assert _refused(f"Bearer {_part({'alg': 'none'})}.{_part(_claims())}.").reason == "malformed"


def test_a_public_key_cannot_be_the_shared_secret() -> None:
    """RFC 8725, 2.1: a token under HMAC with the public key that should have verified RS256."""
    public = rsa.generate_private_key(65_537, 2048).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    with pytest.raises(ConfigError, match=r"tenants\.as100\.token\.keys: current is a public key"):
        _verifier(as100=_tenant(Key(secret=pem)))


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "../../../../dev/null"},
        {"kid": {"not": "text"}},
        {"jku": "http://127.0.0.1:9/keys"},
        {"x5u": "http://127.0.0.1:9/cert"},
        {"jwk": {"kty": "oct", "k": _part(b"a" * 32)}},
    ],
)
def test_keys_that_a_header_names_are_never_looked_at(header: dict[str, Any]) -> None:
    chosen = "a" * 32
    signed = f"{_part({'alg': 'HS256', **header})}.{_part(_claims())}"
    signature = jwt.get_algorithm_by_name("HS256").sign(signed.encode(), chosen.encode())

    assert _refused(f"Bearer {signed}.{_part(signature)}").reason == "bad_signature"
    assert _verifier().verify(_signed({"alg": "HS256", **header}, _claims())).tenant == "as100"


_TWICE = b'{"tenantId":"as100","tenantId":"as100","exp":%d}' % (NOW + 60)


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer x",
        "Bearer x.y.z",
        "Bearer é.ü.ß",
        "Bearer a.b.c.d.e",
        "Bearer " + "x" * 8192,
        _bearer() + " trailing",
        _bearer() + "=",
        _signed({"alg": "HS256", "crit": ["exp"]}, _claims()),
        _signed({"alg": "HS256"}, _TWICE),
        _signed(b'{"alg":"HS256","alg":"HS256"}', _claims()),
        _signed({"alg": "HS256"}, b'{"exp":NaN}'),
        _signed({"alg": "HS256"}, b"[]"),
        _signed({"alg": "HS256"}, b"\xff"),
        _signed({"alg": "HS256"}, b"[" * 5000),
        _signed({"alg": "HS256"}, b"1" * 5000),
    ],
    ids=range(16),
)
def test_what_is_no_token(authorization: str) -> None:
    assert _refused(authorization).reason == "malformed"


# CASES 8


def test_without_a_token_the_scheme_is_named_and_with_a_bad_one_the_error() -> None:
    for nothing in (None, "", " ", "Basic dXNlcjpwYXNz"):
        missing = _refused(nothing)
        assert (missing.status, missing.reason) == (401, "missing_token")
        assert missing.headers == {"WWW-Authenticate": "Bearer"}
    bad = _refused("Bearer nonsense")
    assert (bad.status, bad.headers) == (401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    assert Refusal.several().headers == bad.headers


# Tenants


def test_a_token_opens_only_the_tenant_it_names() -> None:
    verifier = _verifier(as100=_tenant(Key(secret=SECRET)), as200=_tenant(Key(secret=OTHER)))

    assert verifier.verify(_bearer(_claims(tenantId="as200"), OTHER)).tenant == "as200"
    refusal = _refused(_bearer(_claims(tenantId="as200"), SECRET), verifier)
    assert (refusal.reason, refusal.status, refusal.tenant) == ("wrong_tenant", 403, "as200")
    assert refusal.words == "The token is signed with a key of tenants.as100 but says it is of tenants.as200."
    assert refusal.headers == {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}


def test_a_tenant_id_that_is_not_configured() -> None:
    refusal = _refused(_bearer(_claims(tenantId="as999"), OTHER))

    assert (refusal.reason, refusal.status, refusal.tenant) == ("wrong_tenant", 401, None)
    assert refusal.words == "tenantId as999 is not configured."


def test_a_tenant_id_that_is_not_configured_under_a_key_that_is() -> None:
    refusal = _refused(_bearer(_claims(tenantId="as999")))

    assert (refusal.reason, refusal.status, refusal.tenant) == ("wrong_tenant", 403, "as100")
    assert "tenantId as999 is not configured, but a key of tenants.as100 signed the token" in refusal.words


@pytest.mark.parametrize("tenant_id", ["<script>", "a" * 65, "as100\0", 7, None, ...])
def test_a_tenant_id_that_looks_like_none_is_not_repeated(tenant_id: Any) -> None:
    refusal = _refused(_signed({"alg": "HS256"}, _claims(tenantId=tenant_id)))

    assert refusal.reason == "wrong_tenant"
    assert str(tenant_id) not in refusal.words or tenant_id is None


def test_a_key_that_nobody_has() -> None:
    refusal = _refused(_bearer(key=OTHER))

    assert (refusal.reason, refusal.tenant) == ("bad_signature", "as100")
    assert "compare it with the platform's screen" in refusal.words


def test_what_the_caller_is_told_holds_no_hint() -> None:
    refusal = _refused(_bearer(key=base64.urlsafe_b64decode(SECRET)))

    assert refusal.public == "The token's signature does not verify."


def test_nothing_of_the_token_or_the_keys_is_in_a_refusal_or_in_a_shown_form() -> None:
    verifier = _verifier()
    authorization = _bearer(_claims(sub="sentinel-of-the-claims"), OTHER)
    caller = verifier.verify(_bearer())

    refusal = _refused(authorization, verifier)

    shown = f"{refusal} {refusal!r} {vars(refusal)} {refusal.headers} {caller!r} {verifier!r}"
    for part in (*authorization.split(" ")[1].split("."), SECRET, "sentinel-of-the-claims"):
        assert part not in shown


def test_claims_that_postgres_could_not_hold_are_made_so() -> None:
    caller = _verifier().verify(_signed({"alg": "HS256"}, _claims(sub="a\0\ud800", userId=7, delegatee=[])))

    assert (caller.actor, caller.user_id, caller.delegatee) == ("a\ufffd\ufffd", None, None)


# Remembering


def test_a_remembered_token_is_not_verified_again_and_forgotten_when_it_expires() -> None:
    now = NOW
    verifier = Verifier(
        {"as100": _tenant(Key(secret=SECRET))}, fingerprint_key=FINGERPRINT_KEY, clock=lambda: now
    )
    authorization = _bearer()

    assert verifier.verify(authorization) is verifier.verify(authorization)
    now = NOW + 89
    assert verifier.verify(authorization).tenant == "as100"
    now = NOW + 90
    assert _refused(authorization, verifier).reason == "expired"


def test_only_so_many_are_remembered_and_the_last_used_stay() -> None:
    verifier = Verifier(
        {"as100": _tenant(Key(secret=SECRET))},
        fingerprint_key=FINGERPRINT_KEY,
        clock=lambda: NOW,
        remembered=2,
    )
    first, second, third = (_bearer(_claims(sub=f"user-{n}")) for n in range(3))
    callers = [verifier.verify(first), verifier.verify(second), verifier.verify(first)]

    verifier.verify(third)

    assert verifier.verify(first) is callers[0]
    assert verifier.verify(second) is not callers[1]


def test_another_signature_under_remembered_claims_is_refused() -> None:
    verifier = _verifier()
    verifier.verify(_bearer())

    assert _refused(_bearer(key=OTHER), verifier).reason == "bad_signature"


def test_the_fingerprint_depends_on_its_key() -> None:
    tenants = {"as100": _tenant(Key(secret=SECRET))}
    one, two = (Verifier(tenants, fingerprint_key=key * 32, clock=lambda: NOW) for key in (b"1", b"2"))

    assert one.verify(_bearer()).fingerprint != two.verify(_bearer()).fingerprint


# Minting


def _settings(tenant: Tenant) -> Settings:
    store = Store(url="postgresql://127.0.0.1/x")
    return Settings(fingerprint_key=FINGERPRINT_KEY, store=store, tenants={"as100": tenant})


@pytest.mark.parametrize("encoding", ["raw", "base64"])
def test_a_minted_token_is_accepted_and_looks_like_the_platforms(encoding: Any) -> None:
    settings = _settings(_tenant(Key(secret=SECRET, encoding=encoding), algorithm="HS384"))

    token = mint("as100", settings, life=60)

    verifier = Verifier(settings.tenants, fingerprint_key=settings.fingerprint_key)
    assert verifier.verify(f"Bearer {token}").actor == "admin"
    assert jwt.get_unverified_header(token) == {"alg": "HS384"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 60


def test_without_a_key_nothing_can_be_minted() -> None:
    settings = _settings(_tenant(proof=Proof(url="https://platform.example/me")))

    with pytest.raises(ConfigError, match="nothing to sign"):
        mint("as100", settings)


# Proof by use


class Platform:
    """A small server that plays the platform's cheap read."""

    def __init__(self, answer: Callable[[bool], str | None]) -> None:
        self.answer = answer
        self.good = ""
        self.asked: list[str] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(request)
        answer = self.answer(f"Bearer {self.good}\r\n" in request)
        if answer is None:
            await asyncio.sleep(5)
        else:
            await asyncio.sleep(0.02)
            status, _, body = answer.partition("|")
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write((head + body).encode())
        writer.close()


@asynccontextmanager
async def _platform(
    answer: Callable[[bool], str | None], **token: Any
) -> AsyncGenerator[tuple[Platform, Verifier, str]]:
    platform = Platform(answer)
    authorization = _bearer(key="a key of the platform that no tenant knows")
    platform.good = authorization.removeprefix("Bearer ")
    server = await asyncio.start_server(platform.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    platform.url = f"http://127.0.0.1:{port}/usersrvc/api/user/getOnboardCount"
    verifier = _verifier(as100=_tenant(proof=Proof(url=platform.url), **token))
    try:
        yield platform, verifier, authorization
    finally:
        await verifier.close()
        server.close()


def _honest(good: bool) -> str:
    return '200 OK|{"success":true,"data":3}' if good else "401 Unauthorized|"


async def test_the_platform_is_asked_once_for_concurrent_and_later_callers() -> None:
    async with _platform(_honest) as (platform, verifier, authorization):
        callers = await asyncio.gather(*(verifier.authenticate(authorization) for _ in range(20)))
        later = await verifier.authenticate(authorization)

        assert {c.key_name for c in (*callers, later)} == {"proof"}
        assert verifier.verify(authorization) is later
    assert len(platform.asked) == 2  # once with a forged signature: does the address check at all?
    assert platform.good not in platform.asked[0]
    assert platform.good in platform.asked[1]


async def _not_proven(verifier: Verifier, authorization: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await verifier.authenticate(authorization)
    assert authorization.split(" ")[1] not in f"{caught.value.words} {caught.value.headers}"
    return caught.value


_NO = "401 Unauthorized|"
_ELSEWHERE = "302 Found\r\nLocation: http://127.0.0.1:1/|"


@pytest.mark.parametrize(
    ("to_the_token", "to_a_forged_one", "status", "reason", "words"),
    [
        (_NO, _NO, 401, "proof_refused", "answered 401"),
        ("403 Forbidden|", _NO, 403, "proof_refused", "answered 403"),
        ('200 OK|{"success":false}', '200 OK|{"success":false}', 401, "proof_refused", "success: false"),
        ("200 OK|<html>", "200 OK|<html>", 503, "proof_unavailable", "also accepts a forged token"),
        (_ELSEWHERE, _ELSEWHERE, 503, "proof_unavailable", "answered 302"),
        (_ELSEWHERE, _NO, 503, "proof_unavailable", "answered 302"),
        ("500 Oh|", _NO, 503, "proof_unavailable", "answered 500"),
        ("200 OK|" + "x" * 70_000, _NO, 503, "proof_unavailable", "too long"),
        ("nonsense|", "nonsense|", 503, "proof_unavailable", "out of reach"),
    ],
)
async def test_whatever_is_not_a_plain_yes_is_a_no(
    to_the_token: str, to_a_forged_one: str, status: int, reason: str, words: str
) -> None:
    async with _platform(lambda good: to_the_token if good else to_a_forged_one) as (
        _,
        verifier,
        authorization,
    ):
        refusal = await _not_proven(verifier, authorization)

    assert (refusal.status, refusal.reason, refusal.tenant) == (status, reason, "as100")
    assert words in refusal.words


async def test_a_platform_that_does_not_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.proof.TIMEOUT", 0.1)
    async with _platform(lambda _: None) as (_, verifier, authorization):
        refusal = await _not_proven(verifier, authorization)

    assert (refusal.status, refusal.headers) == (503, {"Retry-After": "5"})
    assert "within 0.1 s" in refusal.words


async def test_a_platform_that_is_not_there() -> None:
    async with _platform(_honest) as (_, gone, authorization):
        pass
    refusal = await _not_proven(gone, authorization)

    assert refusal.reason == "proof_unavailable"


async def test_the_rules_for_tokens_hold_before_the_platform_is_asked() -> None:
    async with _platform(_honest) as (platform, verifier, _):
        for changed, reason in (
            ({"exp": NOW - 60, "iat": NOW - 90}, "expired"),
            ({"exp": ...}, "no_expiry"),
            ({"tenantId": "as999"}, "wrong_tenant"),
        ):
            refusal = await _not_proven(verifier, _bearer(_claims(**changed), OTHER))
            assert refusal.reason == reason
        refusal = await _not_proven(verifier, f"Bearer {_part({'alg': 'none'})}.{_part(_claims())}.AA")
        assert refusal.reason == "unknown_algorithm"
    assert platform.asked == []


async def test_a_tenant_without_proof_asks_nobody() -> None:
    assert (await _not_proven(_verifier(), _bearer(key=OTHER))).reason == "bad_signature"
    assert (await _verifier().authenticate(_bearer())).key_name == "current"

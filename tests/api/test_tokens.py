"""Tokens that are refused, and those that just are not: which, with which words and headers."""

import base64
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.auth import Refusal
from settings import ConfigError, Key
from tests.api.signing import (
    NOW,
    SECRET,
    Claims,
    a_tenant,
    bearer,
    claims_with,
    part,
    refused,
    signed_token,
    verifier_of,
)

# CASES 6


def test_a_key_is_accepted_in_its_configured_encoding_only_and_the_other_one_is_hinted_at() -> None:
    decoded = base64.urlsafe_b64decode(SECRET)
    raw, encoded = verifier_of(), verifier_of(as100=a_tenant(Key(secret=SECRET, encoding="base64")))

    assert raw.verify(bearer(key=SECRET)).tenant == "as100"
    assert encoded.verify(bearer(key=decoded)).tenant == "as100"
    refusals = refused(bearer(key=decoded), raw), refused(bearer(key=SECRET), encoded)
    assert [r.reason for r in refusals] == ["bad_signature"] * 2
    assert refusals[0].words == (
        'Key current would verify with the base64-decoded secret: set its encoding = "base64".'
    )
    assert (
        refusals[1].words == 'Key current would verify with the secret as raw text: set its encoding = "raw".'
    )


def test_white_space_around_a_secret_is_hinted_at() -> None:
    verifier = verifier_of(as100=a_tenant(Key(secret=SECRET + " ")))

    assert "without the white space" in refused(bearer(), verifier).words


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
    refusal = refused(signed_token({"alg": "HS256"}, claims_with(**changed)))

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
    assert verifier_of().verify(bearer(claims_with(**changed))).tenant == "as100"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "hs256", "RS256", "HS1", None, 7, ["HS256"]])
def test_an_algorithm_that_is_not_the_configured_one(alg: Any) -> None:
    assert refused(signed_token({"alg": alg}, claims_with())).reason == "unknown_algorithm"
    assert refused(f"Bearer {part({'alg': alg})}.{part(claims_with())}.AA").reason == "unknown_algorithm"


def test_a_token_without_signature() -> None:
    assert refused(f"Bearer {part({'alg': 'none'})}.{part(claims_with())}.").reason == "malformed"


def test_a_public_key_cannot_be_the_shared_secret() -> None:
    """RFC 8725, 2.1: a token under HMAC with the public key that should have verified RS256."""
    public = rsa.generate_private_key(65_537, 2048).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    with pytest.raises(ConfigError, match=r"tenants\.as100\.token\.keys: current is a public key"):
        verifier_of(as100=a_tenant(Key(secret=pem)))


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "../../../../dev/null"},
        {"kid": {"not": "text"}},
        {"jku": "http://127.0.0.1:9/keys"},
        {"x5u": "http://127.0.0.1:9/cert"},
        {"jwk": {"kty": "oct", "k": part(b"a" * 32)}},
    ],
)
def test_keys_that_a_header_names_are_never_looked_at(header: dict[str, Any]) -> None:
    chosen = "a" * 32
    signed = f"{part({'alg': 'HS256', **header})}.{part(claims_with())}"
    signature = jwt.get_algorithm_by_name("HS256").sign(signed.encode(), chosen.encode())

    assert refused(f"Bearer {signed}.{part(signature)}").reason == "bad_signature"
    assert verifier_of().verify(signed_token({"alg": "HS256", **header}, claims_with())).tenant == "as100"


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
        bearer() + " trailing",
        bearer() + "=",
        signed_token({"alg": "HS256", "crit": ["exp"]}, claims_with()),
        signed_token({"alg": "HS256"}, _TWICE),
        signed_token(b'{"alg":"HS256","alg":"HS256"}', claims_with()),
        signed_token({"alg": "HS256"}, b'{"exp":NaN}'),
        signed_token({"alg": "HS256"}, b"[]"),
        signed_token({"alg": "HS256"}, b"\xff"),
        signed_token({"alg": "HS256"}, b"[" * 5000),
        signed_token({"alg": "HS256"}, b"1" * 5000),
    ],
    ids=range(16),
)
def test_what_is_no_token(authorization: str) -> None:
    assert refused(authorization).reason == "malformed"


# CASES 8


def test_without_a_token_the_scheme_is_named_and_with_a_bad_one_the_error() -> None:
    for nothing in (None, "", " ", "Basic dXNlcjpwYXNz"):
        missing = refused(nothing)
        assert (missing.status, missing.reason) == (401, "missing_token")
        assert missing.headers == {"WWW-Authenticate": "Bearer"}
    bad = refused("Bearer nonsense")
    assert (bad.status, bad.headers) == (401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    assert Refusal.several().headers == bad.headers

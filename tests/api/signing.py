"""Tokens as the platform signs them, and as it never would: what the tests of authentication build on."""

import base64
import json
import secrets
from typing import Any

import jwt
import pytest

from api.auth import Refusal, Verifier
from settings import Deprovision, Key, Tenant, Token

NOW = 1_800_000_000.0
SECRET = secrets.token_urlsafe(48)  # 64 characters: base64 of 48 bytes, and good as raw text
OTHER = secrets.token_urlsafe(48)
FINGERPRINT_KEY = b"f" * 100

Claims = dict[str, Any]


def a_tenant(*keys: Key, **token: Any) -> Tenant:
    """A tenant with these keys, or settings of its tokens."""
    return Tenant(token=Token(keys=keys, **token), deprovision=Deprovision(answer="never"))


def verifier_of(now: float = NOW, **tenants: Tenant) -> Verifier:
    """Verifies for these tenants; else for as100, whose key is SECRET."""
    tenants = tenants or {"as100": a_tenant(Key(secret=SECRET))}
    return Verifier(tenants, fingerprint_key=FINGERPRINT_KEY, clock=lambda: now)


def claims_with(**changed: Any) -> Claims:
    """The platform's claims, some of them changed; `...` leaves one out."""
    claims = {"sub": "admin", "delegatee": None, "tenantId": "as100", "userId": "6214db7bd661a57386a71f10"}
    claims |= {"iat": NOW, "exp": NOW + 60, **changed}
    return {name: value for name, value in claims.items() if value is not ...}


def bearer(
    claims: Claims | None = None, key: str | bytes = SECRET, algorithm: str = "HS256", **header: Any
) -> str:
    """An Authorization header."""
    return "Bearer " + jwt.encode(
        claims or claims_with(), key, algorithm=algorithm, headers={"typ": None, **header}
    )


def refused(authorization: str | None, verifier: Verifier | None = None) -> Refusal:
    """The refusal, which must come."""
    with pytest.raises(Refusal) as caught:
        (verifier or verifier_of()).verify(authorization)
    return caught.value


def part(value: Any) -> str:
    """One of a token's parts."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed_token(header: Any, claims: Any) -> str:
    """A token of any bytes under a good signature."""
    algorithm = jwt.get_algorithm_by_name("HS256")
    signed = f"{part(header)}.{part(claims)}"
    return f"Bearer {signed}.{part(algorithm.sign(signed.encode(), SECRET.encode()))}"

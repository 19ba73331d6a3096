"""Tokens have the sample's form, verify elsewhere, and are renewed in time."""

import jwt

from dev.simulate.bearer import Mint

_SAMPLE_HEADER = "eyJhbGciOiJIUzI1NiJ9"
_KEY = b"fake-key-of-a-test-0123456789abcdef"


def test_the_header_is_the_samples_and_another_library_verifies_the_rest() -> None:
    token = Mint(_KEY, "as100", life=60).token()
    assert token.split(".")[0] == _SAMPLE_HEADER
    claims = jwt.decode(token, _KEY, algorithms=["HS256"])
    names = ["sub", "delegatee", "delegateeId", "firstLogin", "roles", "tenantId", "exp", "userId", "iat"]
    assert list(claims) == names
    assert claims["tenantId"] == "as100"
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_is_kept_for_half_its_life() -> None:
    now = 1000.0
    mint = Mint(_KEY, "as100", life=60, clock=lambda: now)
    first = mint.token()
    now = 1029.0
    assert mint.token() == first
    now = 1030.0
    assert mint.token() != first

"""Authentication: who the caller of a token is, what a process remembers of it, and that nothing leaks."""

import base64
from typing import Any

import jwt
import pytest

from api.auth import Caller, Verifier, mint
from settings import ConfigError, Key, Proof, Settings, Store, Tenant
from tests.api.signing import (
    FINGERPRINT_KEY,
    NOW,
    OTHER,
    SECRET,
    a_tenant,
    bearer,
    claims_with,
    refused,
    signed_token,
    verifier_of,
)


def test_the_caller_of_a_good_token() -> None:
    caller = verifier_of().verify(bearer(claims_with(delegatee="asha")))

    assert caller == Caller(
        "as100", "admin", "6214db7bd661a57386a71f10", "asha", "current", caller.fingerprint
    )
    assert len(caller.fingerprint) == 32


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_each_algorithm_is_accepted_where_it_is_configured(algorithm: str) -> None:
    verifier = verifier_of(as100=a_tenant(Key(secret=SECRET), algorithm=algorithm))

    assert verifier.verify(bearer(algorithm=algorithm)).tenant == "as100"
    for other in {"HS256", "HS384", "HS512"} - {algorithm}:
        assert refused(bearer(algorithm=other), verifier).reason == "unknown_algorithm"


def test_the_scheme_is_written_in_any_case() -> None:
    token = bearer().removeprefix("Bearer ")

    assert verifier_of().verify(f"bEaReR   {token} ").tenant == "as100"


def test_a_tenant_may_have_a_name_of_its_own_and_several_keys() -> None:
    keys = (Key(secret=OTHER, name="next"), Key(secret=SECRET, name="old"))
    verifier = verifier_of(production=a_tenant(*keys, tenant_id="as100"))

    caller = verifier.verify(bearer())

    assert (caller.tenant, caller.key_name) == ("production", "old")


# Tenants


def test_a_token_opens_only_the_tenant_it_names() -> None:
    verifier = verifier_of(as100=a_tenant(Key(secret=SECRET)), as200=a_tenant(Key(secret=OTHER)))

    assert verifier.verify(bearer(claims_with(tenantId="as200"), OTHER)).tenant == "as200"
    refusal = refused(bearer(claims_with(tenantId="as200"), SECRET), verifier)
    assert (refusal.reason, refusal.status, refusal.tenant) == ("wrong_tenant", 403, "as200")
    assert refusal.words == "The token is signed with a key of tenants.as100 but says it is of tenants.as200."
    assert refusal.headers == {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}


def test_a_tenant_id_that_is_not_configured() -> None:
    refusal = refused(bearer(claims_with(tenantId="as999"), OTHER))

    assert (refusal.reason, refusal.status, refusal.tenant) == ("wrong_tenant", 401, None)
    assert refusal.words == "tenantId as999 is not configured."


def test_a_tenant_id_that_is_not_configured_under_a_key_that_is() -> None:
    refusal = refused(bearer(claims_with(tenantId="as999")))

    assert (refusal.reason, refusal.status, refusal.tenant) == ("wrong_tenant", 403, "as100")
    assert "tenantId as999 is not configured, but a key of tenants.as100 signed the token" in refusal.words


@pytest.mark.parametrize("tenant_id", ["<script>", "a" * 65, "as100\0", 7, None, ...])
def test_a_tenant_id_that_looks_like_none_is_not_repeated(tenant_id: Any) -> None:
    refusal = refused(signed_token({"alg": "HS256"}, claims_with(tenantId=tenant_id)))

    assert refusal.reason == "wrong_tenant"
    assert str(tenant_id) not in refusal.words or tenant_id is None


def test_a_key_that_nobody_has() -> None:
    refusal = refused(bearer(key=OTHER))

    assert (refusal.reason, refusal.tenant) == ("bad_signature", "as100")
    assert "compare it with the platform's screen" in refusal.words


def test_what_the_caller_is_told_holds_no_hint() -> None:
    refusal = refused(bearer(key=base64.urlsafe_b64decode(SECRET)))

    assert refusal.public == "The token's signature does not verify."


def test_nothing_of_the_token_or_the_keys_is_in_a_refusal_or_in_a_shown_form() -> None:
    verifier = verifier_of()
    authorization = bearer(claims_with(sub="sentinel-of-the-claims"), OTHER)
    caller = verifier.verify(bearer())

    refusal = refused(authorization, verifier)

    shown = f"{refusal} {refusal!r} {vars(refusal)} {refusal.headers} {caller!r} {verifier!r}"
    for part in (*authorization.split(" ")[1].split("."), SECRET, "sentinel-of-the-claims"):
        assert part not in shown


def test_claims_that_postgres_could_not_hold_are_made_so() -> None:
    caller = verifier_of().verify(
        signed_token({"alg": "HS256"}, claims_with(sub="a\0\ud800", userId=7, delegatee=[]))
    )

    assert (caller.actor, caller.user_id, caller.delegatee) == ("a\ufffd\ufffd", None, None)


# Remembering


def test_a_remembered_token_is_not_verified_again_and_forgotten_when_it_expires() -> None:
    now = NOW
    verifier = Verifier(
        {"as100": a_tenant(Key(secret=SECRET))}, fingerprint_key=FINGERPRINT_KEY, clock=lambda: now
    )
    authorization = bearer()

    assert verifier.verify(authorization) is verifier.verify(authorization)
    now = NOW + 89
    assert verifier.verify(authorization).tenant == "as100"
    now = NOW + 90
    assert refused(authorization, verifier).reason == "expired"


def test_only_so_many_are_remembered_and_the_last_used_stay() -> None:
    verifier = Verifier(
        {"as100": a_tenant(Key(secret=SECRET))},
        fingerprint_key=FINGERPRINT_KEY,
        clock=lambda: NOW,
        remembered=2,
    )
    first, second, third = (bearer(claims_with(sub=f"user-{n}")) for n in range(3))
    callers = [verifier.verify(first), verifier.verify(second), verifier.verify(first)]

    verifier.verify(third)

    assert verifier.verify(first) is callers[0]
    assert verifier.verify(second) is not callers[1]


def test_another_signature_under_remembered_claims_is_refused() -> None:
    verifier = verifier_of()
    verifier.verify(bearer())

    assert refused(bearer(key=OTHER), verifier).reason == "bad_signature"


def test_the_fingerprint_depends_on_its_key() -> None:
    tenants = {"as100": a_tenant(Key(secret=SECRET))}
    one, two = (Verifier(tenants, fingerprint_key=key * 32, clock=lambda: NOW) for key in (b"1", b"2"))

    assert one.verify(bearer()).fingerprint != two.verify(bearer()).fingerprint


# Minting


def _settings(tenant: Tenant) -> Settings:
    store = Store(url="postgresql://127.0.0.1/x")
    return Settings(fingerprint_key=FINGERPRINT_KEY, store=store, tenants={"as100": tenant})


@pytest.mark.parametrize("encoding", ["raw", "base64"])
def test_a_minted_token_is_accepted_and_looks_like_the_platforms(encoding: Any) -> None:
    settings = _settings(a_tenant(Key(secret=SECRET, encoding=encoding), algorithm="HS384"))

    token = mint("as100", settings, life=60)

    verifier = Verifier(settings.tenants, fingerprint_key=settings.fingerprint_key)
    assert verifier.verify(f"Bearer {token}").actor == "admin"
    assert jwt.get_unverified_header(token) == {"alg": "HS384"}
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 60


def test_without_a_key_nothing_can_be_minted() -> None:
    settings = _settings(a_tenant(proof=Proof(url="https://platform.example/me")))

    with pytest.raises(ConfigError, match="nothing to sign"):
        mint("as100", settings)

"""What the load sends: every person new, half the tokens fresh, twelve hooks in the platform's order."""

import json

import jwt
import pytest

from bench import traffic

SECRET = "s" * 32


def test_half_of_the_tokens_are_fresh_and_the_rest_come_from_a_pool() -> None:
    tokens = traffic.Tokens(SECRET, pool=5)
    sent = [tokens.next() for _ in range(200)]
    assert len(set(sent[0::2])) == 100
    assert len(set(sent[1::2])) == 5
    assert not set(sent[0::2]) & set(sent[1::2])


def test_a_token_verifies_and_carries_the_claims_of_the_page() -> None:
    claims = jwt.decode(traffic.Tokens(SECRET).fresh(), SECRET, algorithms=["HS256"])
    assert claims["tenantId"] == traffic.TENANT
    assert claims["exp"] - claims["iat"] == 6000


@pytest.mark.parametrize("attribute", ["login", "email", "mobile"])
def test_people_of_all_seeds_are_distinct(attribute: str) -> None:
    values = {traffic.person(seed, n)[attribute] for seed in (1, 2, 999) for n in (0, 1, 10, 999_999)}
    assert len(values) == 12


def test_a_joiner_has_twelve_hooks_in_the_platforms_order() -> None:
    names = [name for name, _ in traffic.joiner(traffic.person(1, 1))]
    assert names[:3] == ["validateUser", "preCreateUser", "postCreateUser"]
    assert names[3:] == ["policyMap", "preProvision", "postProvision"] * 3
    assert len(names) == traffic.HOOKS_PER_JOINER


def test_a_request_is_whole_http() -> None:
    body = traffic.validate_user(traffic.person(1, 1))
    head, _, content = traffic.raw_request(8080, "validateUser", "t", body).partition(b"\r\n\r\n")
    assert json.loads(content) == body
    assert f"Content-Length: {len(content)}".encode() in head
    assert head.startswith(b"POST /webhook/validateUser HTTP/1.1\r\n")


def test_only_a_spread_storm_pauses_and_never_before_a_users_first_hook() -> None:
    tokens = traffic.Tokens(SECRET)
    at_once = traffic.storm(3, port=1, tokens=tokens, seed=1, gap=None)
    spread = traffic.storm(3, port=1, tokens=tokens, seed=1, gap=(0.5, 5.0))
    assert {step.pause for story in at_once for step in story} == {0.0}
    assert {story[0].pause for story in spread} == {0.0}
    assert all(0.5 <= step.pause <= 5.0 for story in spread for step in story[1:])

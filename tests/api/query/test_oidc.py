"""Users and programs of a real identity provider: who is let in, as what, and what is refused."""

import base64
import json
import time
from collections.abc import AsyncGenerator, Generator
from dataclasses import replace
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from api.problems import Problem
from api.query.oidc import Oidc
from api.query.principal import Grant
from dev.processes import free_port
from settings import Store
from settings.query import Oidc as Settings
from tests.api.query.asking import configure, listen
from tests.api.query.providers import BACK, Provider, running
from tests.support import Servers

AUDIENCE = "urn:hookledger:ledger"
GRANTS = [
    {"value": "ledger-auditors", "role": "auditor", "tenant": "as100"},
    {"value": "ledger-operators", "role": "operator", "tenant": "as100"},
    {"value": "staff", "role": "auditor", "tenant": "as200"},
    {"value": "ledger-admins", "role": "admin"},
]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Generator[Provider]:
    with running(tmp_path_factory.mktemp("provider")) as provider:
        yield provider


def _settings(issuer: str, **changes: object) -> Settings:
    values = {
        "issuer": issuer,
        "client_id": "hookledger",
        "client_secret": "a secret of tests+/%",
        "audience": AUDIENCE,
        "grants": GRANTS,
    }
    return Settings.model_validate(values | changes)


@pytest.fixture
async def oidc(provider: Provider) -> AsyncGenerator[Oidc]:
    oidc = Oidc(_settings(provider.issuer))
    yield oidc
    await oidc.close()


async def _refused(oidc: Oidc, token: str) -> str:
    with pytest.raises(Problem) as refused:
        await oidc.bearer(token)
    assert token not in refused.value.detail
    return refused.value.code


@pytest.mark.parametrize("audience", [AUDIENCE, "urn:hookledger:rsa"])
async def test_a_program_s_token_is_let_in_as_its_groups_say(provider: Provider, audience: str) -> None:
    oidc = Oidc(_settings(provider.issuer, audience=audience))

    principal = await oidc.bearer(provider.token(audience=audience))

    assert principal.actor == "oidc:siem"
    assert principal.grants == (Grant("auditor", "as100"),)
    await oidc.close()


async def test_a_user_signs_in_by_the_code_flow_with_pkce(provider: Provider, oidc: Oidc) -> None:
    leaving = await oidc.leave(BACK)
    assert "code_challenge_method=S256" in leaving.url
    assert leaving.verifier not in leaving.url

    address = provider.sign_in(leaving.url, "operator.asha")
    principal = await oidc.come_back(leaving, BACK, address)

    assert principal.actor == "oidc:operator.asha"
    assert principal.grants == (Grant("operator", "as100"), Grant("auditor", "as200"))
    with pytest.raises(Problem, match="token_refused"):
        await oidc.come_back(leaving, BACK, address)  # a code is good once


async def test_groups_may_stand_in_the_id_token_itself(tmp_path: Path) -> None:
    with running(tmp_path, GROUPS_IN="id_token") as provider:
        oidc = Oidc(_settings(provider.issuer))
        leaving = await oidc.leave(BACK)
        principal = await oidc.come_back(leaving, BACK, provider.sign_in(leaving.url, "admin.asha"))
        await oidc.close()

    assert principal.grants == (Grant("admin", None),)


@pytest.mark.parametrize("wrong", ["state", "verifier", "nonce", "iss", "redirect"])
async def test_an_answer_to_another_question_is_refused(provider: Provider, oidc: Oidc, wrong: str) -> None:
    leaving = await oidc.leave(BACK)
    address, back = provider.sign_in(leaving.url, "auditor.asha"), BACK
    if wrong in ("state", "verifier", "nonce"):
        leaving = replace(leaving, **{wrong: "x" * 64})
    elif wrong == "iss":
        address = address.replace("iss=http", "iss=https")
    else:
        back = "http://127.0.0.1:9/elsewhere"

    with pytest.raises(Problem) as refused:
        await oidc.come_back(leaving, back, address)

    assert (refused.value.status, refused.value.code) == (401, "token_refused")


async def test_a_user_without_a_role_is_told_so(provider: Provider) -> None:
    oidc = Oidc(_settings(provider.issuer, grants=GRANTS[:1]))

    with pytest.raises(Problem) as refused:
        await oidc.bearer(provider.token("staff", "a third"))

    assert (refused.value.status, refused.value.code) == (403, "no_role")
    await oidc.close()


async def test_a_token_for_somebody_else_is_refused(provider: Provider, oidc: Oidc) -> None:
    assert await _refused(oidc, provider.token(audience="urn:another:service")) == "token_refused"


async def test_an_id_token_is_no_access_token(provider: Provider, oidc: Oidc) -> None:
    """Its audience is the client; that is why query.oidc.audience should be another."""
    seen: list[str] = []
    verified = oidc._verified  # pyright: ignore[reportPrivateUsage]

    async def spy(token: str) -> object:
        seen.append(token)
        return await verified(token)

    oidc._verified = spy  # type: ignore[method-assign]  # pyright: ignore[reportPrivateUsage,reportAttributeAccessIssue]
    leaving = await oidc.leave(BACK)
    await oidc.come_back(leaving, BACK, provider.sign_in(leaving.url, "admin.asha"))

    assert await _refused(oidc, seen[0]) == "token_refused"


def _part(token: str, place: int) -> dict[str, object]:
    part = token.split(".")[place]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@pytest.mark.parametrize(
    "forged",
    [
        "none",
        "own key",
        "own key in the header",
        "public key as a secret",
        "another's claims",
        "cut off",
        "no dots",
    ],
)
async def test_a_token_that_the_provider_did_not_sign_is_refused(
    provider: Provider, oidc: Oidc, forged: str
) -> None:
    good = provider.token()
    header, claims = _part(good, 0), {**_part(good, 1), "groups": ["ledger-admins"]}
    kid = {"kid": header["kid"]}
    own = ec.generate_private_key(ec.SECP256R1())
    made = {
        "none": lambda: jwt.encode(claims, "", algorithm="none", headers=kid),
        "own key": lambda: jwt.encode(claims, own, algorithm="ES256", headers=kid),
        "own key in the header": lambda: jwt.encode(
            claims, own, algorithm="ES256",
            headers={**kid, "jwk": ECAlgorithm.to_jwk(own.public_key(), as_dict=True)},
        ),
        "public key as a secret": lambda: jwt.encode(
            claims, json.dumps({"kty": "EC", "x": "public"} | kid) * 2, algorithm="HS256", headers=kid
        ),
        "another's claims": lambda: ".".join([good.split(".")[0], base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode(), good.split(".")[2]]),
        "cut off": lambda: good[:-8],
        "no dots": lambda: good.replace(".", ""),
    }[forged]()  # fmt: skip

    assert await _refused(oidc, made) == "token_refused"


async def test_an_expired_token_and_one_that_lives_too_long_are_refused(provider: Provider) -> None:
    token = provider.token()
    late = Oidc(_settings(provider.issuer), clock=lambda: time.time() + 631)
    in_time = Oidc(_settings(provider.issuer), clock=lambda: time.time() + 625)
    strict = Oidc(_settings(provider.issuer, max_life=60))

    assert await _refused(late, token) == "token_refused"
    assert (await in_time.bearer(token)).actor == "oidc:siem"  # 600 s and the leeway of 30 s
    assert await _refused(strict, token) == "token_refused"
    for one in (late, in_time, strict):
        await one.close()


async def test_keys_of_the_provider_are_renewed_without_a_restart(tmp_path: Path) -> None:
    port, ahead = free_port(), [0.0]
    oidc = Oidc(_settings(f"http://127.0.0.1:{port}"), clock=lambda: time.time() + ahead[0])
    with running(tmp_path, port) as before:
        old = before.token()
        assert (await oidc.bearer(old)).actor == "oidc:siem"
    with running(tmp_path, port) as after:
        new = after.token()
        # Known for less than a pause, the provider is not asked again for every key id that somebody makes up.
        assert await _refused(oidc, new) == "token_refused"
        ahead[0] = 11
        assert (await oidc.bearer(new)).actor == "oidc:siem"
        assert await _refused(oidc, old) == "token_refused"
    await oidc.close()


async def test_a_provider_that_is_away_or_another_is_said_to_be(provider: Provider) -> None:
    token = provider.token()
    away = Oidc(_settings(f"http://127.0.0.1:{free_port()}"))
    other = Oidc(_settings(provider.issuer + "/"))

    assert await _refused(away, token) == "provider_away"
    assert await _refused(other, token) == "provider_away"
    await away.close()
    await other.close()


async def test_callers_do_not_queue_for_a_provider_that_is_away(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead, token = [0.0], provider.token()
    oidc = Oidc(_settings(provider.issuer), clock=lambda: time.time() + ahead[0])
    asked: list[str] = []

    async def away(_: object, method: str, url: str, **__: object) -> object:
        asked.append(f"{method} {url}")
        raise httpx.ReadTimeout("")

    with monkeypatch.context() as patch:
        patch.setattr(httpx.AsyncClient, "request", away)
        assert [await _refused(oidc, token) for _ in range(5)] == ["provider_away"] * 5
    assert len(asked) == 1
    ahead[0] = 3
    assert (await oidc.bearer(token)).actor == "oidc:siem"
    await oidc.close()


async def test_the_listener_lets_users_and_keys_in(
    provider: Provider, servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    (tmp_path / "client.secret").write_text("a secret of tests+/%")
    settings = configure(
        tmp_path,
        store,
        f"""
[query.oidc]
issuer = "{provider.issuer}"
client_id = "hookledger"
client_secret = {{ file = "client.secret" }}
audience = "{AUDIENCE}"
grants = [{{ value = "ledger-auditors", role = "auditor", tenant = "as100" }}, {{ value = "staff", role = "admin" }}]
""",
    )
    async with listen(settings) as desk:
        auditor = await desk.get("/ledger/keys", provider.token())
        admin = await desk.get("/ledger/keys", provider.token("staff", "a third"))

    assert (auditor.status_code, admin.status_code) == (403, 200)
    assert "a secret of tests" not in repr(settings)

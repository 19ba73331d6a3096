"""Proof by use: the platform is asked whether a token is its own, and only a plain yes is one."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.auth import Refusal, Verifier
from settings import Proof
from tests.api.signing import NOW, OTHER, a_tenant, bearer, claims_with, part, verifier_of


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
    authorization = bearer(key="a key of the platform that no tenant knows")
    platform.good = authorization.removeprefix("Bearer ")
    server = await asyncio.start_server(platform.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    platform.url = f"http://127.0.0.1:{port}/usersrvc/api/user/getOnboardCount"
    verifier = verifier_of(as100=a_tenant(proof=Proof(url=platform.url), **token))
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
            refusal = await _not_proven(verifier, bearer(claims_with(**changed), OTHER))
            assert refusal.reason == reason
        refusal = await _not_proven(verifier, f"Bearer {part({'alg': 'none'})}.{part(claims_with())}.AA")
        assert refusal.reason == "unknown_algorithm"
    assert platform.asked == []


async def test_a_tenant_without_proof_asks_nobody() -> None:
    assert (await _not_proven(verifier_of(), bearer(key=OTHER))).reason == "bad_signature"
    assert (await verifier_of().authenticate(bearer())).key_name == "current"

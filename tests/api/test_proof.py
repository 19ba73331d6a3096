"""Proof by use: the platform is asked whether a token is its own, and only a plain yes is one."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.auth import Refusal, Verifier
from settings import Key, Proof
from tests.api.signing import (
    FINGERPRINT_KEY,
    NOW,
    OTHER,
    SECRET,
    a_tenant,
    bearer,
    claims_with,
    part,
    verifier_of,
)


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


def _made_up(number: int) -> str:
    return bearer(claims_with(sub=f"nobody {number}"), OTHER)


def _slow_to_strangers(good: bool) -> str | None:
    return _honest(good) if good else None


async def _knock(verifier: Verifier, many: int, *addresses: str) -> list[asyncio.Task[Refusal]]:
    """Made-up tokens from these addresses in turn, all of them under way."""

    async def one(number: int) -> Refusal:
        with pytest.raises(Refusal) as caught:
            await verifier.authenticate(_made_up(number), addresses[number % len(addresses)])
        return caught.value

    tasks = [asyncio.create_task(one(number)) for number in range(many)]
    await asyncio.sleep(0.3)
    return tasks


@pytest.mark.parametrize(
    ("strangers", "ours"),
    [
        (("198.51.100.9",), "203.0.113.7"),
        (("198.51.100.9", "::ffff:198.51.100.9"), "203.0.113.7"),
        (("2001:db8::1", "2001:db8::2:3", "2001:db8:0:0:ffff::4"), "2001:db8:0:1::1"),
        (("no address", "nor this", ""), "203.0.113.7"),
    ],
)
async def test_made_up_tokens_of_one_address_leave_places_for_others(
    strangers: tuple[str, ...], ours: str
) -> None:
    async with _platform(_honest) as (platform, verifier, authorization):
        await verifier.authenticate(authorization, ours)
        platform.answer = _slow_to_strangers
        knocking = await _knock(verifier, 60, *strangers)
        assert len(platform.asked) == 2 + 8
        fresh = bearer(claims_with(sub="fresh"), OTHER)
        platform.good = fresh.removeprefix("Bearer ")

        assert (await verifier.authenticate(fresh, ours)).actor == "fresh"

        words = [refusal.words for refusal in await asyncio.gather(*knocking)]
        assert sum("more than 8 tokens from" in text for text in words) == 52
        platform.answer = _honest
        again = await _not_proven(verifier, _made_up(1))
        assert again.reason == "proof_refused", "their places were given back"


async def test_all_addresses_together_have_a_bound() -> None:
    async with _platform(_honest) as (platform, verifier, authorization):
        await verifier.authenticate(authorization)
        platform.answer = _slow_to_strangers
        knocking = await _knock(verifier, 60, *(f"198.51.100.{n}" for n in range(60)))
        assert len(platform.asked) == 2 + 32
        words = [refusal.words for refusal in await asyncio.gather(*knocking)]
        assert sum("more than 32 tokens" in text for text in words) == 28


async def test_what_was_refused_is_not_asked_about_again_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _platform(_honest) as (platform, verifier, _):
        platform.good = ""
        first, *others = [await _not_proven(verifier, _made_up(1)) for _ in range(5)]
        assert {(r.status, r.reason, r.words) for r in others} == {(first.status, first.reason, first.words)}
        assert len(platform.asked) == 2
        monkeypatch.setattr("api.proof._REFUSED_FOR", 0.0)
        for _ in range(2):
            await _not_proven(verifier, _made_up(2))
        assert len(platform.asked) == 4
        monkeypatch.undo()
        monkeypatch.setattr("api.proof._REFUSED", 2)
        for number in (3, 4, 5, 3):
            await _not_proven(verifier, _made_up(number))
        assert len(platform.asked) == 8, "the oldest was forgotten"


async def test_what_could_not_be_asked_is_asked_again() -> None:
    async with _platform(lambda good: "500 Oh|" if good else _NO) as (platform, verifier, authorization):
        await _not_proven(verifier, authorization)
        platform.answer = _honest
        assert (await verifier.authenticate(authorization)).key_name == "proof"


async def test_the_platform_is_not_asked_for_who_is_not_on_the_tenant_s_list() -> None:
    async with _platform(_honest) as (platform, _, authorization):
        proof = Proof(url=platform.url)
        tenant = a_tenant(proof=proof).model_copy(update={"allow": ("203.0.113.0/24",)})
        verifier = verifier_of(as100=tenant)
        for address in ("198.51.100.9", ""):
            with pytest.raises(Refusal) as caught:
                await verifier.authenticate(authorization, address)
            assert (caught.value.reason, caught.value.status) == ("address", 403)
        assert platform.asked == []
        assert (await verifier.authenticate(authorization, "203.0.113.7")).key_name == "proof"
        await verifier.close()


async def test_only_genuine_tokens_tell_how_the_clocks_differ() -> None:
    ages: list[float] = []
    async with _platform(_honest) as (platform, _, _):
        tenant = a_tenant(Key(secret=SECRET), proof=Proof(url=platform.url))
        verifier = Verifier(
            {"as100": tenant}, fingerprint_key=FINGERPRINT_KEY, clock=lambda: NOW, skew=ages.append
        )
        ahead = bearer(claims_with(iat=NOW + 20), OTHER)
        await _not_proven(verifier, ahead)
        assert ages == []
        proven = bearer(claims_with(iat=NOW + 21), OTHER)
        platform.good = proven.removeprefix("Bearer ")
        await verifier.authenticate(proven)
        assert ages == [-21]
        with pytest.raises(Refusal, match="not_yet_valid"):
            await verifier.authenticate(bearer(claims_with(iat=NOW + 50)))
        assert ages == [-21, -50], "signed with our key: the clocks do differ"
        await verifier.close()

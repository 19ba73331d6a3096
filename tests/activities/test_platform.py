"""Calling the platform back: with the tenant's token, patient with what it does not know yet, and never in a circle."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities import Event, Hook, Outcome, Refused, Tools, activity
from activities._platform import Platform
from settings.platform import Platform as Address
from tests.activities.desk import Desk, Piece, writer
from tests.activities.listeners import Endpoint, http_endpoint


@activity(on=Hook.POST_UPDATE_USER, platform=True)
async def stamper(event: Event, tools: Tools) -> Outcome:
    """Changes the person at the platform, which causes the next hook."""
    answer = await tools.platform.call("PUT", "/user-service/api/user", {"stamp": event.seq})
    return Outcome("stamped", {"status": answer.status_code})


@pytest.fixture
async def target() -> AsyncGenerator[Endpoint]:
    """The platform."""
    async with http_endpoint() as endpoint:
        yield endpoint


def address(target: Endpoint, **changes: object) -> Address:
    """Where it is."""
    values = {"url": f"http://127.0.0.1:{target.port}", "token": "a-token"}
    return Address.model_validate(values | changes)


@pytest.fixture
def calling(desk: Desk, target: Endpoint) -> Desk:
    """A desk whose tenant has a platform."""
    desk.wiring = replace(desk.wiring, platforms={"as100": address(target)})
    return desk


async def hook(desk: Desk, **changes: Any) -> Piece:
    """The person's next hook."""
    return (await desk.store(stamper, hook="postUpdateUser", **changes))[0]


async def ends(desk: Desk, piece: Piece) -> tuple[str, dict[str, object]]:
    """How an attempt ends, and what its entry says."""
    [settlement] = await desk.attempt(stamper, piece)
    return settlement.outcome, (await desk.entries(piece))[-1]["detail"]


async def test_it_calls_with_the_token_of_its_tenant(calling: Desk, target: Endpoint) -> None:
    assert await ends(calling, await hook(calling)) == ("stamped", {"status": 204})
    [call] = target.calls
    assert (call.path, call.headers["authorization"]) == ("/user-service/api/user", "Bearer a-token")


async def test_a_circle_ends_after_three_calls_and_everything_else_runs(
    calling: Desk, target: Endpoint
) -> None:
    told: list[tuple[str, object]] = []
    pieces: list[Piece] = []
    for _ in range(5):
        pieces.append(await hook(calling))
        outcome, detail = await ends(calling, pieces[-1])
        told.append((outcome, detail.get("depth")))
        if len(pieces) > 1 and outcome == "stamped":
            assert detail["caused by"] == pieces[-2].ref.delivery
    assert told == [("stamped", None), ("stamped", 1), ("stamped", 2), ("looped", 3), ("looped", 3)]
    assert len(target.calls) == 3
    [other] = await calling.store(writer)
    assert [s.outcome for s in await calling.attempt(writer, other)] == ["wrote"]


async def test_only_hooks_of_our_own_client_count_where_it_is_known(calling: Desk, target: Endpoint) -> None:
    calling.wiring = replace(calling.wiring, platforms={"as100": address(target, actor="user:robot")})
    for actor in ("user:hr", "user:hr", "user:hr", "user:hr", "user:robot"):
        outcome, detail = await ends(calling, await hook(calling, actor=actor))
        assert (outcome, detail.get("depth")) == ("stamped", 1 if actor == "user:robot" else None)


async def test_another_person_and_later_than_the_window_are_no_circle(calling: Desk) -> None:
    first = await hook(calling)
    await ends(calling, first)
    login, calling.login = calling.login, f"{calling.login}x"
    assert "depth" not in (await ends(calling, await hook(calling)))[1]
    calling.login = login
    await calling.pool.execute(
        "INSERT INTO platform_calls SELECT delivery, activity, 9, tenant, subject, 3, at - interval '61 seconds' "
        "FROM platform_calls"
    )
    await calling.pool.execute("DELETE FROM platform_calls WHERE attempt < 9")
    assert "depth" not in (await ends(calling, await hook(calling)))[1]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, "Unavailable"),
        (503, "Unavailable"),
        (401, "Unavailable"),
        (429, "Unavailable"),
        (400, "Refused"),
    ],
)
async def test_what_the_answer_means(calling: Desk, target: Endpoint, status: int, kind: str) -> None:
    target.answers.append((status, {}))
    piece = await hook(calling)
    with pytest.raises(ApplicationError) as failed:
        await calling.attempt(stamper, piece)
    assert failed.value.type == kind
    if kind == "Unavailable":
        assert (await ends(calling, piece))[0] == "stamped"


async def test_an_old_404_is_for_good_and_no_path_leads_elsewhere(calling: Desk, target: Endpoint) -> None:
    async def note() -> None:
        pass

    platform = Platform(address(target), calling.wiring.http, None, note)
    target.answers.append((404, {}))
    with pytest.raises(Refused, match="404"):
        await platform.call("GET", "/x")
    for path in ("//elsewhere.example.com/x", "http://elsewhere.example.com", "@elsewhere.example.com"):
        with pytest.raises(Refused, match="path"):
            await platform.call("GET", path)
    with pytest.raises(Refused, match="platform=True"):
        await Platform().call("GET", "/x")

"""What goes wrong at the platform: each failure is survived or said in words, and never taken for a removal."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.simulate.platform import LIST, Asked, Mischief, Reply, envelope
from runtime.reconcile.tenant import UnderWay
from runtime.reconcile.user_list import PlatformLost, PlatformRefuses
from settings import ConfigError, Store
from tests.runtime.reconcile.world import World, user, world

NOT_JSON = Reply(200, b"<html>Welcome</html>", {"content-type": "text/html"})
FAULTS = {
    "500": Reply(500, b"oops"),
    "429": Reply(429, b"{}", {"retry-after": "0"}),
    "not json": NOT_JSON,
    "json, but no envelope": Reply(200, b"[]"),
    "NaN": Reply(200, b'{"success": true, "data": {"content": [], "totalElements": NaN}}'),
    "success false": envelope(None, success=False, code="USRSRVC.FAILED"),
    "no data": envelope(None, success=True),
    "another shape": envelope({"rows": []}),
}


def on_page(page: int, reply: Reply, times: int = 1000) -> Mischief:
    """That reply to the first calls for a page."""
    left = [times]

    def wrong(asked: Asked) -> Reply | None:
        if asked.page != page or not left[0]:
            return None
        left[0] -= 1
        return reply

    return wrong


async def _people(here: World, gone: int = 1) -> None:
    await here.both(*(user(n) for n in range(9)))
    here.users.people.pop(user(gone)["id"])


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_passing_fault_changes_nothing(here: World, fault: Reply) -> None:
    await _people(here)
    here.users.mischief = on_page(1, fault, times=3)

    summary = await here.reconcile()

    assert (summary.counts.removed, summary.clean) == (1, True)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_page_that_does_not_come_concludes_no_removal(here: World, fault: Reply) -> None:
    await _people(here)
    here.users.put(user(20))
    here.users.mischief = on_page(1, fault)

    summary = await here.reconcile()

    assert [d.difference for d in here.found] == ["missed create"]
    assert not summary.clean
    [note] = summary.notes
    assert note.startswith("nobody was called removed for not being listed: page 2 did not come: ")
    assert note.endswith(", 5 times")


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_without_a_first_page_there_is_no_run(here: World, fault: Reply) -> None:
    await _people(here)
    here.users.mischief = on_page(0, fault)

    with pytest.raises(PlatformLost, match="5 times"):
        await here.reconcile()

    assert await here.entries() == []


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            envelope(None, status=401, code="AUTHSRVC.INVALID_TOKEN"),
            "refuses the token of tenants.as100.platform.token",
        ),
        (
            envelope(None, success=False, code="AUTHSRVC.SESSION_EXPIRED"),
            "renew the secret of the API client",
        ),
        (Reply(403, b"{}"), "may not read users"),
        (Reply(404, b"not here"), "no user list at tenants.as100.platform.url"),
        (Reply(302, b"", {"location": "https://elsewhere.example/"}), "answers with a redirect"),
    ],
    ids=["401", "expired in the envelope", "403", "404", "redirect"],
)
async def test_what_asking_again_cannot_mend_is_said_at_once(here: World, reply: Reply, words: str) -> None:
    here.users.mischief = on_page(0, reply)

    with pytest.raises(PlatformRefuses, match=words):
        await here.reconcile()

    assert len(here.users.calls) == 1


async def test_a_token_that_expires_in_the_middle_ends_the_run_and_keeps_what_was_recorded(
    here: World,
) -> None:
    here.users.put(*(user(n) for n in range(9)))
    here.users.mischief = on_page(2, envelope(None, status=401))

    with pytest.raises(PlatformRefuses, match="401"):
        await here.reconcile()

    first = len(await here.entries())
    assert first == 6
    here.users.mischief = lambda _: None
    await here.reconcile()
    assert len(await here.entries()) == 9


async def test_a_slow_page_is_waited_for_until_the_time_out(here: World) -> None:
    await _people(here)
    here.users.mischief = on_page(1, Reply(wait=0.5))
    assert (await here.reconcile()).clean

    here.configure(timeout=0.5)
    here.users.mischief = on_page(1, Reply(wait=10))
    begun = time.monotonic()
    summary = await here.reconcile()
    assert "page 2 did not come: no answer within 0.5 s, 5 times" in summary.notes[0]
    assert time.monotonic() - begun < 10


async def test_the_token_and_the_tenant_travel_to_the_configured_address_only(here: World) -> None:
    await _people(here)

    await here.reconcile()

    assert {call.headers["tenant"] for call in here.users.calls} == {"as100"}
    assert {call.headers["authorization"] for call in here.users.calls} == {"Bearer good-token"}


# A list that changes while it is read


def at_call(number: int, change: Callable[[], object]) -> Mischief:
    """Does something just before that call for a page is answered."""
    pages = [0]

    def meddle(asked: Asked) -> None:
        if asked.path == LIST:
            pages[0] += 1
            if pages[0] == number:
                change()

    return meddle


async def test_who_joins_while_it_is_read_is_found(here: World) -> None:
    await here.both(*(user(n) for n in range(6)))
    here.users.mischief = at_call(3, lambda: here.users.put(user(50)))

    summary = await here.reconcile()

    assert (summary.counts.created, summary.clean) == (1, True)


async def test_a_person_whom_the_shifting_list_skips_is_not_removed(here: World) -> None:
    """Somebody of the first page goes: everybody behind moves up, and one is on no page that is read."""
    await here.both(*(user(n) for n in range(9)))
    here.users.mischief = at_call(2, lambda: here.users.people.pop(user(0)["id"]))

    summary = await here.reconcile()

    assert (summary.counts.removed, summary.counts.unlisted) == (0, 1)
    here.users.mischief = lambda _: None
    assert (await here.reconcile()).counts.removed == 1


async def test_a_list_that_keeps_shifting_concludes_nothing_without_look_ups(here: World) -> None:
    await here.both(*(user(n) for n in range(12)))
    dropped = iter(range(3))

    def shift(asked: Asked) -> Reply | None:
        if asked.path != LIST:
            return Reply(403, b"{}")
        if asked.page == 1 and (n := next(dropped, None)) is not None:
            here.users.people.pop(user(n)["id"])
        return None

    here.users.mischief = shift
    here.users.people.pop(user(11)["id"])

    summary = await here.reconcile()

    assert user(3)["id"] not in {d.platform_id for d in here.found if d.difference == "missed removal"}
    assert {d.platform_id for d in here.found} <= {user(n)["id"] for n in (0, 1, 2, 11)}
    assert summary.counts.pages > 6


@pytest.mark.parametrize(
    ("total", "words"),
    [(40, "9 people came of the 40 that the list counts"), (None, "does not say how many people")],
)
async def test_totals_that_do_not_add_up_conclude_no_removal(
    here: World, total: int | None, words: str
) -> None:
    await here.both(*(user(n) for n in range(10)))
    rows = [user(n) for n in range(9)]

    def claim(asked: Asked) -> Reply | None:
        if asked.path != LIST:
            return None
        page = {"content": rows if asked.page == 0 else []}
        return envelope(page | ({} if total is None else {"totalElements": total, "totalPages": 1}))

    here.users.mischief = claim
    summary = await here.reconcile()

    assert summary.counts.removed == 0
    assert words in summary.notes[0]


async def test_an_empty_list_removes_nobody(here: World) -> None:
    await here.both(user(1), user(2))
    here.users.people.clear()

    summary = await here.reconcile()

    assert summary.counts.removed == 0
    assert "the list is empty" in summary.notes[0]


async def test_a_server_that_gives_the_same_page_for_ever_ends(here: World) -> None:
    await here.both(*(user(n) for n in range(9)))
    page = envelope({"elements": [user(0), user(1)], "totalElements": 9, "totalPages": 5})
    here.users.mischief = lambda asked: page if asked.path == LIST else None

    summary = await here.reconcile()

    assert summary.counts.listed == 2
    assert "2 people came of the 9" in summary.notes[0]


async def test_a_look_up_that_finds_nobody_at_all_tells_nothing(here: World) -> None:
    """A gateway without that route says 404 for everybody: that must not remove a soul."""
    await here.both(*(user(n) for n in range(6)))
    hidden = user(5)["id"]
    here.users.mischief = lambda asked: None if asked.path == LIST else Reply(404, b"{}")
    listed = {id_: one for id_, one in here.users.people.items() if id_ != hidden}
    first = [True]

    def flicker(asked: Asked) -> Reply | None:
        """Left out of the first reading, there in the second."""
        if asked.path != LIST:
            return Reply(404, b"{}")
        if asked.page == 2 and first[0]:
            first[0] = False
            here.users.put(user(5))
        return None

    here.users.people = listed
    here.users.mischief = flicker
    summary = await here.reconcile()

    assert summary.counts.removed == 0


async def test_rows_that_cannot_be_read_are_counted(here: World) -> None:
    await here.both(user(1), user(2))
    here.users.put({"id": "no-login", "firstName": "x"})

    summary = await here.reconcile()

    assert summary.counts.unreadable == 1
    assert "not storable): 1" in summary.notes[-1]


# The brake


async def test_more_removals_than_allowed_are_an_incident(here: World) -> None:
    await here.both(*(user(n) for n in range(9)))
    here.configure(brake=2, brake_share=0.1)
    for n in range(4):
        here.users.people.pop(user(n)["id"])

    summary = await here.reconcile()

    assert not summary.clean
    assert "the brake stopped: more than the 2 removals" in summary.notes[0]
    assert await here.entries() == [("reconcile", "incident", "reconcile")]
    assert here.found == []

    allowed = await here.reconcile(limit=4)
    assert (allowed.counts.removed, allowed.clean) == (4, True)


async def test_the_share_of_everybody_known_counts_too(here: World) -> None:
    await here.both(*(user(n) for n in range(9)))
    here.configure(brake=0, brake_share=0.25)
    for n in range(2):
        here.users.people.pop(user(n)["id"])

    assert (await here.reconcile()).counts.removed == 2


async def test_a_list_that_leaves_out_many_who_are_there_is_said(here: World) -> None:
    await here.both(*(user(n) for n in range(9)))
    here.configure(brake=2)
    shown = envelope({"content": [user(0)], "totalElements": 1, "totalPages": 1})
    here.users.mischief = lambda asked: shown if asked.path == LIST else None

    summary = await here.reconcile()

    assert summary.counts.removed == 0
    assert "API client does not see everybody" in summary.notes[0]


async def test_one_run_at_a_time(here: World) -> None:
    here.users.put(user(1))
    asked = asyncio.Event()

    def linger(call: Asked) -> Reply | None:
        asked.set()
        return Reply(wait=2) if call.number == 1 else None

    here.users.mischief = linger
    running = asyncio.create_task(here.reconcile())
    await asked.wait()

    with pytest.raises(UnderWay, match="another reconciliation of as100"):
        await here.reconcile()

    assert (await running).counts.created == 1
    here.users.mischief = lambda _: None
    assert (await here.reconcile()).clean


# The configuration


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('url = "http://platform.example"', "must be an https:// address"),
        ('url = "https://u:p@platform.example"', "must be an https:// address without user name"),
        ('url = "https://platform.example/?a=1"', "must end before the services' names"),
        ('token = "eyJ-the-token-itself"', "must be a reference"),
        ('token = { file = "blank.token" }', "must be the token alone"),
        ('reconcile = "sometimes"', 'must be "off", "every 6h", or a cron text'),
        ('reconcile = "every 1m"', "is too often"),
        ('reconcile = "61 * * * *"', "minute must be 0 to 59"),
        ('reconcile = "0 2 * * mon-sunday"', "day of the week must be"),
        ("page_size = 0", "must be greater"),
    ],
)
async def test_a_mistake_is_named(tmp_path: Path, store: Store, line: str, words: str) -> None:
    key = line.split(" ", maxsplit=1)[0]
    (tmp_path / "blank.token").write_text("two words\n")
    lines = {"url": 'url = "https://as100.example"', "token": 'token = { file = "api.token" }', key: line}
    (tmp_path / "api.token").write_text("good-token\n")
    from tests.support import write_configuration

    with pytest.raises(ConfigError, match=words) as caught:
        write_configuration(tmp_path, store, "[tenants.as100.platform]\n" + "\n".join(lines.values()))

    assert f"tenants.as100.platform.{key}: " in str(caught.value)
    assert "eyJ" not in str(caught.value)


@pytest.mark.parametrize(
    "when", ["off", "every 6h", "every 30 minutes", "30 2 * * *", "*/15 8-18 * * mon-fri", "0 0 1,15 jan *"]
)
async def test_times_that_are_understood(tmp_path: Path, store: Store, when: str) -> None:
    async with world(tmp_path, store, f'reconcile = "{when}"') as made:
        assert made.settings.tenants["as100"].platform is not None


async def test_a_process_without_the_token_starts_and_says_so_when_it_is_needed(here: World) -> None:
    here.configure(token=None)

    with pytest.raises(PlatformRefuses, match="refers to nothing that is there"):
        await here.reconcile()


# The second look


async def test_a_look_up_that_fails_leaves_the_difference_to_the_next_run(here: World) -> None:
    await here.both(user(1), user(2))
    here.users.put(user(3))
    here.users.mischief = lambda asked: Reply(500, b"-") if asked.path.endswith(user(3)["id"]) else None

    summary = await here.reconcile()

    assert (summary.counts.created, summary.counts.unclear, summary.clean) == (0, 1, False)
    here.users.mischief = lambda _: None
    assert (await here.reconcile()).counts.created == 1


async def test_a_platform_that_stops_answering_in_the_middle_ends_the_run(here: World) -> None:
    await here.both(user(1))
    here.users.put(*(user(n) for n in range(2, 60)))
    here.users.mischief = lambda asked: Reply(500, b"-") if asked.path != LIST and asked.number > 9 else None

    with pytest.raises(PlatformLost, match="in the middle"):
        await here.reconcile()


async def test_the_own_record_has_the_last_word(here: World) -> None:
    """The list is behind: its row still shows what was, the record shows what is."""
    await here.both(user(1, department="Legal"), user(2))
    stale = [user(1, department="Finance"), user(2)]
    page = envelope({"content": stale, "totalElements": 2, "totalPages": 1})
    here.users.mischief = lambda asked: page if asked.page == 0 else None

    summary = await here.reconcile()

    assert (summary.counts.changed, summary.counts.meanwhile) == (0, 1)


async def test_another_person_s_record_is_not_taken_for_theirs(here: World) -> None:
    await here.both(user(1))
    here.users.put(user(3))
    here.users.mischief = lambda asked: envelope(user(1)) if asked.path.endswith(user(3)["id"]) else None

    summary = await here.reconcile()

    assert (summary.counts.created, summary.counts.unclear) == (0, 1)


async def test_what_cannot_be_stored_is_counted_and_holds_up_nobody(here: World) -> None:
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"more": deep}
    here.users.put(user(1, desk=deep), user(2, desk="\ud800"), user(3, desk="\x00"))

    summary = await here.reconcile()

    assert (summary.counts.created, summary.counts.unreadable) == (1, 2)

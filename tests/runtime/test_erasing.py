"""Erasing a person: nothing names them afterwards, everything still verifies, and what is in the way is in the way."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from ledger.certificate import hash_of, open_certificate
from ledger.erasable import Blocked, lock
from ledger.legal_holds import place as place_hold
from ledger.legal_holds import release as release_hold
from ledger.note import verifiers_of
from ledger.plan import Plan, Ref
from ledger.receive import Fact, Planned, plan_text, receive
from ledger.verify import Asked, verify
from ledger.visit import visit
from ledger.work import Busy, claim, unclaim
from runtime.bell import Ring, ring
from runtime.deeds import order
from runtime.erasing import Wish, carry_out, erase_person, plan_person, rehearse
from runtime.erasures import as_keeper, may_serve, whom
from runtime.sealer import Sealer
from tests.erasing import ID, LOGIN, SENTINEL, World, fill, told, world
from tests.support import Servers, delivery, rows


@pytest.fixture
async def place(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World]:
    """A store with the person in it."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    async with world(servers, tmp_path) as made:
        await fill(made)
        yield made


async def _wish(place: World, *, skip_work: bool = False, anyway: bool = False) -> Wish:
    subject = await place.subject()
    return Wish("as100", subject, "os:tester", "request", "asked by letter", skip_work, anyway)


async def _fits(place: World) -> bool:
    await Sealer(place.settings).seal()
    keys = verifiers_of(place.settings.ledger.seal)
    verdict = await verify(place.settings.store, Asked(keys, (), None), lambda _done, _total: None)
    assert verdict.entries
    return not verdict.findings


def _obstacles(blocked: pytest.ExceptionInfo[Blocked]) -> list[str]:
    return [b.obstacle for b in blocked.value.blockers]


async def test_nothing_names_them_afterwards_and_everything_fits(place: World) -> None:
    await Sealer(place.settings).seal()
    wish = await _wish(place)
    assert await place.tables_that_name_them() == {
        *(
            "bodies",
            "faults",
            "handles",
            "known_values",
            "holds",
            "names",
            "name_counts",
            "vault",
            "entitlements",
        ),
        "subjects",
    }
    before = await place.root.fetchval("SELECT count(*) FROM deliveries")

    done = await erase_person(place.settings, wish)

    assert await place.tables_that_name_them() == set()
    assert await _fits(place)
    assert await place.root.fetchval("SELECT count(*) FROM deliveries") == before + 1
    [deed] = await rows(place.root, "SELECT actor, detail FROM entries WHERE outcome = 'erase'")
    assert (deed["actor"], deed["detail"]["certificate"], deed["detail"]["code"]) == (
        "os:tester",
        str(done.id),
        "request",
    )
    kept = await rows(place.root, "SELECT body FROM bodies WHERE delivery = $1", done.id)
    assert "asked by letter" in kept[0]["body"]
    assert await rows(place.root, "SELECT application, uid FROM entitlements") == [
        {"application": "hr", "uid": None}
    ]


async def test_others_keep_everything(place: World) -> None:
    tables = ("handles", "known_values", "identities", "bodies")
    of_others = [
        f"SELECT x::text AS x FROM {table} AS x WHERE x::text ~ 'bystander|namesake' AND x::text !~ 'deed' ORDER BY 1"
        for table in tables
    ]
    before = [await rows(place.root, query) for query in of_others]

    await erase_person(place.settings, await _wish(place))

    assert [await rows(place.root, query) for query in of_others] == before
    assert all(before[:2])


async def test_the_certificate_says_what_went_and_is_of_the_name(place: World) -> None:
    wish = await _wish(place)
    rehearsed = await rehearse(place.settings, wish)

    done = await erase_person(place.settings, wish)

    read = open_certificate(done.erased.certificate, verifiers_of(place.settings.ledger.seal))
    assert (read.id, read.person, read.tenant) == (done.id, wish.subject, "as100")
    assert SENTINEL not in done.erased.certificate.lower()
    assert hash_of(done.secret, LOGIN) in read.names
    assert hash_of(done.secret, ID) in read.names
    assert hash_of("another", LOGIN) not in read.names
    assert [r.count for r in done.erased.removed] == [r.count for r in rehearsed.removed]
    assert all(r.count for r in done.erased.removed), [r.what for r in done.erased.removed if not r.count]
    assert "1 bodies of hooks about nobody known that have a name of theirs" in read.all("removed")
    backups = next(line for line in read.all("copy") if line.startswith("the store's backups"))
    assert f"until {(read.at + timedelta(days=35)).isoformat(timespec='seconds')}" in backups
    assert "the store's replicas; nobody has said here" in "\n".join(read.all("copy"))
    assert (
        await place.pool.fetchval("SELECT certificate FROM erasures WHERE id = $1", done.id)
        == done.erased.certificate
    )


async def test_a_rehearsal_changes_nothing(place: World) -> None:
    before = await place.everything()

    found = await rehearse(place.settings, await _wish(place))

    assert sum(r.count for r in found.removed) > 20
    assert await place.everything() == before


async def test_somebody_erased_who_comes_again_is_somebody_new(place: World) -> None:
    wish = await _wish(place)
    await erase_person(place.settings, wish)

    receipt = await receive(place.pool, told("postCreateUser", fact=True, creates=True))

    assert receipt.subject != wish.subject
    assert receipt.seq == 1
    again = await rows(place.root, "SELECT rehire_of FROM subjects WHERE id = $1", receipt.subject)
    assert again == [{"rehire_of": None}]
    with pytest.raises(Blocked) as blocked:
        await erase_person(place.settings, wish)
    assert _obstacles(blocked) == ["erased"]
    assert await _fits(place)


async def test_a_hook_that_comes_meanwhile_waits_and_is_about_somebody_new(place: World) -> None:
    """receive() must not find the person by name before, and write of them after."""
    wish = await _wish(place)
    who = whom(wish.tenant, wish.subject)
    coming: asyncio.Task[object]
    async with as_keeper(place.settings) as connection:
        await lock(connection, who)
        coming = asyncio.create_task(receive(place.pool, told("postUpdateUser", fact=True)))
        await asyncio.sleep(0.3)
        assert not coming.done()
    await coming
    hooks = [asyncio.create_task(receive(place.pool, told("postUpdateUser", fact=True))) for _ in range(8)]
    done = await erase_person(place.settings, wish)
    await asyncio.gather(*hooks)

    of_them = await rows(
        place.root,
        "SELECT b.delivery FROM bodies b JOIN deliveries d ON d.id = b.delivery WHERE d.subject = $1 AND d.id <> $2",
        wish.subject,
        done.id,
    )
    assert of_them == []
    for table in ("handles", "known_values", "identities"):
        assert await rows(place.root, f"SELECT * FROM {table} WHERE subject = $1", wish.subject) == []


async def test_two_at_once_are_two_lines_or_one(place: World) -> None:
    other = Wish("as100", await place.subject("bystander"), "os:tester", "request", "too")
    wish = await _wish(place)

    both = await asyncio.gather(
        *(erase_person(place.settings, w) for w in (wish, other, wish)), return_exceptions=True
    )

    done = [b for b in both if not isinstance(b, BaseException)]
    wrong = [b for b in both if isinstance(b, BaseException)]
    assert sorted(d.erased.place.number for d in done if d.erased.place) == [1, 2]
    assert [type(w) for w in wrong] == [Blocked]
    assert await may_serve(
        place.settings.model_copy(
            update={"store": place.settings.store.model_copy(update={"keeper_url": None})}
        )
    )
    assert await _fits(place)


async def test_open_work_is_in_the_way_or_ends_as_erased(place: World) -> None:
    later = Planned("badge", "badge", plan_text(Plan()), timedelta(days=30), waits=False)
    due = Planned("mail", "mail", plan_text(Plan()), timedelta(0), waits=False)
    gone = told("postUpdateUser", fact=True, identity=Fact("LEFT", True, False, 3, None), work=[later, due])
    await receive(place.pool, gone)

    with pytest.raises(Blocked) as blocked:
        await erase_person(place.settings, await _wish(place))
    assert _obstacles(blocked) == ["work"]
    assert await place.tables_that_name_them() != set()

    await erase_person(place.settings, await _wish(place, skip_work=True))
    ended = await rows(
        place.root, "SELECT activity, outcome FROM entries WHERE outcome = 'erased' ORDER BY id"
    )
    assert ended == [{"activity": "badge", "outcome": "erased"}, {"activity": "mail", "outcome": "erased"}]
    assert await rows(place.root, "SELECT 1 FROM work WHERE settled_at IS NULL") == []
    assert await _fits(place)


async def test_an_attempt_under_way_leaves_no_words_behind(place: World) -> None:
    due = Planned("mail", "mail", plan_text(Plan()), timedelta(0), waits=False)
    gone = told("postUpdateUser", fact=True, identity=Fact("LEFT", True, False, 3, None), work=[due])
    await receive(place.pool, gone)
    async with visit(place.settings.store) as connection:
        got = await claim(connection, [Ref(str(gone.id), "mail")], lease=30)
    assert not isinstance(got, Busy)
    await erase_person(place.settings, await _wish(place, skip_work=True))

    async with visit(place.settings.store) as connection:
        await unclaim(connection, got[0][0], "550 zsentinel@example.com")

    assert await place.tables_that_name_them() == set()
    [ended] = await rows(place.root, "SELECT detail FROM entries WHERE outcome = 'erased'")
    assert ended["detail"] == {"effect": "may have happened"}


async def test_who_acted_stays_named_by_the_platform_s_id_and_the_certificate_says_so(place: World) -> None:
    await receive(place.pool, replace(delivery("bystander"), actor=f"user:{ID}"))

    done = await erase_person(place.settings, await _wish(place))

    assert await place.tables_that_name_them() == {"deliveries", "entries"}
    assert "remains: 1 receipts that name them as who acted" in done.erased.certificate


async def test_who_is_still_at_the_platform_is_warned_about(place: World) -> None:
    await receive(
        place.pool, told("postUpdateUser", fact=True, identity=Fact("ACTIVE", False, False, 9, None))
    )

    with pytest.raises(Blocked) as blocked:
        await erase_person(place.settings, await _wish(place))

    assert _obstacles(blocked) == ["live"]
    assert (await erase_person(place.settings, await _wish(place, anyway=True))).erased.removed


async def test_a_reason_that_names_them_is_not_taken(place: World) -> None:
    wish = replace(await _wish(place), reason=f"as {LOGIN.upper()} asked")

    with pytest.raises(Blocked) as blocked:
        await erase_person(place.settings, wish)

    assert _obstacles(blocked) == ["reason"]
    assert "zsentinel" not in str(blocked.value).lower()


async def test_a_hold_keeps_everything_until_it_is_released(place: World) -> None:
    wish = await _wish(place)
    held = order("legal hold", "os:counsel", "matter 7", tenant="as100", subject=wish.subject)
    async with visit(place.settings.store) as connection:
        await place_hold(connection, held)

    with pytest.raises(Blocked) as blocked:
        await erase_person(place.settings, replace(wish, anyway=True, skip_work=True))
    assert _obstacles(blocked) == ["hold"]

    free = order("hold released", "os:counsel", "settled", tenant="as100", subject=wish.subject)
    async with visit(place.settings.store) as connection:
        await release_hold(connection, free, held.new_id)
    await erase_person(place.settings, wish)
    deeds = await rows(place.root, "SELECT outcome FROM entries WHERE hook = 'operator' ORDER BY id")
    assert [d["outcome"] for d in deeds] == ["legal hold", "hold released", "erase"]


async def test_the_floor_is_waited_for(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    async with world(servers, tmp_path, floor="1h") as place:
        await fill(place)
        with pytest.raises(Blocked) as blocked:
            await erase_person(place.settings, await _wish(place))
        [floor] = blocked.value.blockers
        last = await place.root.fetchval(
            "SELECT max(received_at) FROM deliveries WHERE subject IS NOT NULL AND actor = 'tester' AND hook = 'postProvision'"
        )
        assert (floor.obstacle, floor.until) == ("floor", last + timedelta(hours=1))

        planned = await plan_person(place.settings, await _wish(place))
        assert planned.due == floor.until
        assert await carry_out(place.settings) == 0
        assert await place.tables_that_name_them() != set()

        # Its time comes, but the platform has told of them again: the floor has moved.
        await place.root.execute("UPDATE erasures_due SET due = now()")
        assert await carry_out(place.settings) == 0
        assert await place.root.fetchval("SELECT due FROM erasures_due") >= floor.until

        await place.root.execute("UPDATE erasures_due SET due = now()")
        ledger = place.settings.ledger.model_copy(update={"legal_floor": timedelta(0)})
        later = place.settings.model_copy(update={"ledger": ledger})
        assert await carry_out(later) == 1
        assert await place.tables_that_name_them() == set()
        note = await place.root.fetchval("SELECT certificate FROM erasures")
        assert hash_of(planned.secret, LOGIN) in open_certificate(note, verifiers_of(later.ledger.seal)).names
        assert await place.root.fetchval("SELECT ended_as FROM erasures_due") == "erased"
        assert await carry_out(later) == 0


async def test_what_temporal_has_of_them_goes_too(place: World, client: Client) -> None:
    [person] = await rows(
        place.root, "SELECT id, workflow_id, seq FROM subjects WHERE workflow_id LIKE '%zsentinel-login%'"
    )
    rung = Ring(await place.subject(), person["workflow_id"], "as100", LOGIN, person["seq"], "postCreateUser")
    await ring(client, place.settings.temporal, rung)
    handle = client.get_workflow_handle(person["workflow_id"])
    await handle.terminate()

    done = await erase_person(place.settings, await _wish(place), client)

    assert done.temporal.startswith("Temporal was told to delete 1 run,")
    for _ in range(900):
        try:
            await handle.describe()
        except RPCError:
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail("the run is still there")


async def test_temporal_away_is_said_and_holds_nothing_up(
    place: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    done = await erase_person(place.settings, await _wish(place))

    assert done.temporal.startswith("Temporal is out of reach")
    assert "30 days" in done.temporal
    assert await place.tables_that_name_them() == set()


async def test_a_list_that_cannot_be_written_erases_nothing(place: World) -> None:
    folder = place.settings.ledger.erasures and place.settings.ledger.erasures.folder
    assert folder
    folder.write_text("a file where the folder should be")

    with pytest.raises(Exception, match="the list of erasures cannot be reached"):
        await erase_person(place.settings, await _wish(place))

    assert await place.tables_that_name_them() != set()

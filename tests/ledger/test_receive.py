"""receive() under concurrency: one asker wins, nobody deadlocks, nothing is lost."""

import asyncio
import random
import uuid
from datetime import timedelta

from ledger.engine import Pool
from ledger.receive import Delivery, Fact, Planned, receive
from tests.support import delivery, rows, validation

FACT = Fact(status="ACTIVE", left=False, archived=False, version=None, updated=None)
ROUNDS, ASKERS = 60, 16


def _unique() -> str:
    return uuid.uuid4().hex[:12]


async def test_exactly_one_of_sixteen_askers_passes(pool: Pool) -> None:
    for _ in range(ROUNDS):
        number = f"+91{random.randint(6 * 10**9, 10**10 - 1)}"
        got = await asyncio.gather(
            *(receive(pool, validation(_unique(), values=[("mobile", number)])) for _ in range(ASKERS))
        )
        assert sorted(r.verdict for r in got) == ["passed"] + ["refused"] * (ASKERS - 1)
        assert all(r.codes == ["mobile"] for r in got if r.verdict == "refused")


async def test_swapped_values_pass_once_and_never_deadlock(pool: Pool) -> None:
    for _ in range(20):
        a, b = ("email", f"{_unique()}@x"), ("mobile", _unique())
        got = await asyncio.gather(
            *(receive(pool, validation(_unique(), values=sorted(pair))) for pair in ([a, b], [b, a]) * 6)
        )
        assert sum(r.verdict == "passed" for r in got) == 1


async def test_the_same_login_takes_its_own_hold_again(pool: Pool) -> None:
    login, value = _unique(), ("email", f"{_unique()}@x")
    first = await receive(pool, validation(login, values=[value]))
    again = await receive(pool, validation(login, values=[value]))
    other = await receive(pool, validation(_unique(), values=[value]))
    assert [first.verdict, again.verdict, other.verdict] == ["passed", "passed", "refused"]


async def test_all_or_none_is_held(pool: Pool) -> None:
    taken, free = ("email", f"{_unique()}@x"), ("mobile", _unique())
    await receive(pool, validation(_unique(), values=[taken]))
    refused = await receive(pool, validation(_unique(), values=[taken, free]))
    other = await receive(pool, validation(_unique(), values=[free]))
    assert (refused.verdict, other.verdict) == ("refused", "passed")


async def test_parallel_repeats_of_one_id_get_the_first_verdict(pool: Pool) -> None:
    source, login = _unique(), _unique()
    got = await asyncio.gather(
        *(
            receive(pool, delivery(login if n % 2 else _unique(), source_id=source, work=[_work()]))
            for n in range(40)
        )
    )
    firsts = [r for r in got if r.repeat_of is None]
    assert len(firsts) == 1
    assert {r.repeat_of for r in got if r.repeat_of} == {(await _by_source(pool, source))[0]}
    duplicates = await rows(
        pool,
        "SELECT 1 FROM entries WHERE delivery = $1 AND outcome = 'duplicate'",
        (await _by_source(pool, source))[0],
    )
    assert len(duplicates) == 39


async def _by_source(pool: Pool, source: str) -> list[uuid.UUID]:
    return [
        uuid.UUID(r["id"]) for r in await rows(pool, "SELECT id FROM deliveries WHERE source_id = $1", source)
    ]


def _work(activity: str = "creation", lane: str = "bookkeeping") -> Planned:
    return Planned(activity=activity, lane=lane, plan="{}", delay=timedelta(0), waits=False)


async def test_a_hundred_twins_cause_one_effect(pool: Pool) -> None:
    login = _unique()
    twins = [
        delivery(login, "postCreateUser", twin=b"same", identity=FACT, work=[_work()]) for _ in range(100)
    ]
    got = await asyncio.gather(*(receive(pool, d) for d in twins))
    assert sorted(r.seq or 0 for r in got) == list(range(1, 101))
    assert sum(r.planned for r in got) == 1
    assert sum(r.suspected for r in got) == 99
    subject = got[0].subject
    states = await rows(
        pool, "SELECT outcome, count(*) AS n FROM work WHERE subject = $1 GROUP BY 1 ORDER BY 1", subject
    )
    assert states == [{"outcome": "duplicate", "n": 99}, {"outcome": None, "n": 1}]


async def test_the_same_bytes_after_another_hook_are_no_duplicate(pool: Pool) -> None:
    login = _unique()

    def create() -> Delivery:
        return delivery(login, "preProvision", twin=b"create", work=[_work("provisioning")])

    first = await receive(pool, create())
    between = await receive(pool, delivery(login, "runDeprovision", twin=b"run"))
    second = await receive(pool, create())
    assert [first.planned, between.suspected, second.planned] == [1, False, 1]


async def test_renames_racing_hooks_without_id_lose_nothing(pool: Pool) -> None:
    """Half the calls rename by platform id, half know only a login: every one is numbered, none fails."""
    for _ in range(5):
        platform_id, logins = _unique(), [_unique() for _ in range(4)]
        first = await receive(
            pool, delivery(logins[0], "postCreateUser", platform_id=platform_id, identity=FACT)
        )
        calls = [
            delivery(
                random.choice(logins),
                "postUpdateUser" if n % 2 else "preProvision",
                platform_id=platform_id if n % 2 else None,
                fact=bool(n % 2),
                identity=FACT if n % 2 else None,
                values=[("email", f"{random.choice(logins)}@x")],
            )
            for n in range(60)
        ]
        got = await asyncio.gather(*(receive(pool, d) for d in calls))
        assert all(r.seq for r in got)
        recorded = await rows(pool, "SELECT id FROM deliveries WHERE id = ANY ($1)", [d.id for d in calls])
        assert len(recorded) == len(calls)
        live = await rows(
            pool,
            "SELECT count(*) AS n FROM handles WHERE subject = $1 AND kind = 'login' AND until IS NULL",
            first.subject,
        )
        assert live[0]["n"] <= 1


async def test_two_people_swapping_logins_at_once(pool: Pool) -> None:
    for _ in range(10):
        ids, logins = (_unique(), _unique()), (_unique(), _unique())
        for platform_id, login in zip(ids, logins, strict=True):
            await receive(
                pool, delivery(login, "postCreateUser", platform_id=platform_id, fact=True, identity=FACT)
            )
        got = await asyncio.gather(
            *(
                receive(
                    pool, delivery(login, "postUpdateUser", platform_id=platform_id, fact=True, identity=FACT)
                )
                for platform_id, login in zip(ids * 6, logins[::-1] * 6, strict=True)
            )
        )
        assert all(r.seq for r in got)


async def test_two_subjects_are_recorded_under_the_ids(pool: Pool) -> None:
    platform_id, old, other = _unique(), _unique(), _unique()
    known = await receive(
        pool, delivery(old, "postCreateUser", platform_id=platform_id, fact=True, identity=FACT)
    )
    await receive(pool, delivery(other, "postCreateUser", fact=True, identity=FACT))
    both = await receive(
        pool, delivery(other, "postUpdateUser", platform_id=platform_id, fact=True, identity=FACT)
    )
    assert both.subject == known.subject
    outcomes = await rows(
        pool, "SELECT outcome FROM entries WHERE subject = $1 AND seq = $2", known.subject, both.seq
    )
    assert {"outcome": "merged"} in outcomes


async def test_a_known_login_with_another_id_is_a_new_person(pool: Pool) -> None:
    login = _unique()
    old = await receive(
        pool, delivery(login, "postCreateUser", platform_id=_unique(), fact=True, identity=FACT)
    )
    new = await receive(
        pool, delivery(login, "postCreateUser", platform_id=_unique(), fact=True, identity=FACT)
    )
    assert old.subject != new.subject
    linked = await rows(pool, "SELECT rehire_of FROM subjects WHERE id = $1", new.subject)
    assert linked == [{"rehire_of": str(old.subject)}]


async def test_an_older_fact_does_not_overwrite(pool: Pool) -> None:
    login = _unique()
    newer = Fact("ACTIVE", left=False, archived=False, version=7, updated=None)
    older = Fact("INACTIVE", left=False, archived=False, version=6, updated=None)
    got = await receive(pool, delivery(login, "postUpdateUser", fact=True, identity=newer))
    await receive(pool, delivery(login, "postUpdateUser", fact=True, identity=older))
    assert await rows(pool, "SELECT status, version FROM identities WHERE subject = $1", got.subject) == [
        {"status": "ACTIVE", "version": 7}
    ]


async def test_a_leavers_values_come_free(pool: Pool) -> None:
    value = ("email", f"{_unique()}@x")
    login = _unique()
    await receive(pool, delivery(login, "postCreateUser", fact=True, identity=FACT, values=[value]))
    taken = await receive(pool, validation(_unique(), values=[value]))
    left = Fact("DELETE", left=True, archived=False, version=None, updated=None)
    await receive(pool, delivery(login, "postUpdateUser", fact=True, identity=left, values=[value]))
    kept = await receive(pool, validation(_unique(), values=[value], release=timedelta(days=1)))
    free = await receive(pool, validation(_unique(), values=[value], release=timedelta(0)))
    assert [taken.verdict, kept.verdict, free.verdict] == ["refused", "refused", "passed"]


async def test_a_person_never_clashes_with_themselves_on_update(pool: Pool) -> None:
    login, value = _unique(), ("email", f"{_unique()}@x")
    await receive(pool, delivery(login, "postCreateUser", fact=True, identity=FACT, values=[value]))
    same = await receive(pool, validation(login, check="update", values=[value]))
    create = await receive(pool, validation(login, check="create", values=[value]))
    assert (same.verdict, create.verdict) == ("passed", "refused")


async def test_the_brake_stops_after_the_limit_and_stays(pool: Pool) -> None:
    tenant = _unique()
    ask = {"tenant": tenant, "verdict": "deprovision", "brake": 3, "brake_window": timedelta(hours=1)}
    got = await asyncio.gather(
        *(receive(pool, delivery(_unique(), "runDeprovision", **ask)) for _ in range(10))
    )
    assert sorted(r.verdict for r in got) == ["braked"] * 7 + ["deprovision"] * 3
    alarms = await rows(pool, "SELECT 1 FROM entries WHERE tenant = $1 AND outcome = 'brake'", tenant)
    assert len(alarms) == 1


async def test_an_intention_waits_for_its_fact(pool: Pool) -> None:
    login = _unique()
    waiting = Planned(activity="later", lane="later", plan="{}", delay=timedelta(days=7), waits=True)
    got = await receive(pool, delivery(login, "preCreateUser", work=[waiting]))
    before = await rows(pool, "SELECT state FROM work WHERE subject = $1", got.subject)
    await receive(
        pool, delivery(login, "postCreateUser", fact=True, identity=FACT, confirms=["preCreateUser"])
    )
    after = await rows(pool, "SELECT state FROM work WHERE subject = $1", got.subject)
    assert (before, after) == ([{"state": "waiting"}], [{"state": "planned"}])

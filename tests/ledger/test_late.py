"""Answers recorded late: nothing is held against anybody wrongly, and no fact is put behind them."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ledger.degraded import PASSED_UNCHECKED, TURNED_AWAY, WOULD_PASS, WOULD_REFUSE
from ledger.engine import Pool
from ledger.late import Since, confirmed, record_late
from ledger.receive import Delivery, Fact, Note, Planned, Receipt, receive
from tests.support import delivery, rows, validation

FACTS = ("postCreateUser", "postUpdateUser")
ACTIVE = Fact(status="ACTIVE", left=False, archived=False, version=1, updated=None)
HOLD = timedelta(minutes=10)


def _unique() -> str:
    return uuid.uuid4().hex[:12]


class Judge:
    """Completes a delivery as api.late does, and keeps what it was told."""

    def __init__(self, late: Delivery) -> None:
        self.late = late
        self.since: Since | None = None

    def __call__(self, since: Since) -> Delivery:
        """Holds what is let through unless a fact has come."""
        self.since = since
        hold = HOLD if self.late.verdict == PASSED_UNCHECKED and not since.told else None
        outcome = WOULD_REFUSE if since.clashes else WOULD_PASS
        judged = replace(self.late, hold=hold, notes=[Note(outcome, "{}")])
        return confirmed(judged) if since.confirmed else judged


async def _record(
    pool: Pool, late: Delivery, at: datetime, confirming: tuple[str, ...] = ()
) -> tuple[Since, Receipt | None]:
    judge = Judge(late)
    got = await record_late(pool, late, answered_at=at, facts=FACTS, confirming=confirming, judge=judge)
    assert judge.since is not None
    return judge.since, got


def _late(login: str, verdict: str = PASSED_UNCHECKED, **more: Any) -> Delivery:
    return validation(login, verdict=verdict, hold=None, **more)


def _fact(login: str, *values: tuple[str, str], **more: Any) -> Delivery:
    return delivery(
        login, "postCreateUser", creates=True, fact=True, identity=ACTIVE, values=sorted(values), **more
    )


def _now() -> datetime:
    return datetime.now(UTC)


async def test_a_clash_with_somebody_else_is_found_and_nothing_of_theirs_is_held(pool: Pool) -> None:
    email, taker = ("email", f"{_unique()}@x"), _unique()
    await receive(pool, _fact(_unique(), email))

    since, got = await _record(pool, _late(taker, values=[email]), _now())

    assert (since.clashes, since.told) == (["email"], False)
    assert got is not None
    assert got.verdict == PASSED_UNCHECKED
    assert await rows(pool, "SELECT 1 FROM holds WHERE login = $1", taker) == []


async def test_the_person_s_own_fact_since_then_is_no_clash_and_stays_the_newest(pool: Pool) -> None:
    login, email = _unique(), ("email", f"{_unique()}@x")
    at = _now()
    fact = _fact(login, email)
    await receive(pool, fact)

    since, got = await _record(pool, _late(login, values=[email]), at)

    assert (since.clashes, since.told) == ([], True)
    assert got is not None
    assert got.seq == 2
    [identity] = await rows(pool, "SELECT delivery, seq FROM identities WHERE subject = $1", got.subject)
    assert identity == {"delivery": str(fact.id), "seq": 1}
    assert await rows(pool, "SELECT 1 FROM holds WHERE login = $1", login) == []


async def test_a_login_known_before_the_answer_clashes_with_itself_on_creation(pool: Pool) -> None:
    login = _unique()
    await receive(pool, _fact(login, ("login", login)))

    creating, _ = await _record(pool, _late(login, values=[("login", login)]), _now())
    updating, _ = await _record(pool, _late(login, values=[("login", login)], check="update"), _now())

    assert (creating.clashes, updating.clashes) == (["login"], [])


async def test_a_value_that_was_given_to_another_meanwhile_is_not_taken_from_them(pool: Pool) -> None:
    at, email, other = _now(), ("email", f"{_unique()}@x"), _unique()
    await receive(pool, validation(other, values=[email]))

    since, _ = await _record(pool, _late(_unique(), values=[email]), at)

    assert since.clashes == ["email"]
    assert await rows(pool, "SELECT login FROM holds WHERE value = $1", email[1]) == [{"login": other}]


async def test_another_tenant_s_values_are_no_clash(pool: Pool) -> None:
    login, email = _unique(), ("email", f"{_unique()}@x")
    await receive(pool, _fact(login, email, tenant="as200"))

    since, _ = await _record(pool, _late(login, values=[email]), _now())

    assert since == Since([], told=False, confirmed=False)


async def test_work_that_waits_for_a_fact_that_has_come_is_due(pool: Pool) -> None:
    login, at = _unique(), _now()
    await receive(pool, _fact(login))
    waits = Planned("mail", "mail", "{}", timedelta(days=1), waits=True)
    late = delivery(login, "preCreateUser", verdict="answered unchecked", work=[waits])

    _, got = await _record(pool, late, at, confirming=("postCreateUser",))

    assert got is not None
    [work] = await rows(
        pool, "SELECT state, due <= now() AS due FROM work WHERE delivery = $1 AND activity = 'mail'", late.id
    )
    assert work == {"state": "planned", "due": True}


async def test_a_call_that_was_stored_after_all_is_noted_once_and_holds_nothing_for_who_was_turned_away(
    pool: Pool,
) -> None:
    login, email = _unique(), ("email", f"{_unique()}@x")
    stored = validation(login, values=[email])
    await receive(pool, stored)
    late = replace(stored, verdict=TURNED_AWAY, hold=None)

    for _ in range(2):
        _, got = await _record(pool, late, _now())
        assert got is None

    entries = await rows(pool, "SELECT outcome FROM entries WHERE delivery = $1 ORDER BY id", stored.id)
    assert [e["outcome"] for e in entries] == ["passed", TURNED_AWAY, WOULD_PASS]
    assert await rows(pool, "SELECT 1 FROM holds WHERE login = $1", login) == []

"""The stand-in for the store says what receive() says, whatever comes."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ledger.engine import Pool
from ledger.receive import Fact, Person, Receipt, receive
from rules.memory import Memory
from tests.rules.quarrels import quarrel


def _said(receipt: Receipt) -> tuple[object, ...]:
    return receipt.verdict, sorted(receipt.codes), [*receipt.names]


@pytest.mark.parametrize("seed", range(40))
async def test_it_agrees_with_the_store(pool: Pool, seed: int) -> None:
    chance, tenant, memory = random.Random(seed), f"memory-{seed}", Memory()
    people: dict[object, object] = {}
    for step in range(40):
        d = quarrel(chance, tenant)
        got, said = await receive(pool, d), memory.receive(d, datetime.now(UTC))

        assert _said(said) == _said(got), f"step {step}: {d.hook} {d.person and d.person.login} {d.wishes}"
        assert people.setdefault(got.subject, said.subject) == said.subject, f"step {step}: {d.hook}"


async def test_holds_and_leavers_end_when_their_time_has_come() -> None:
    memory, now = Memory(), datetime(2026, 3, 1, tzinfo=UTC)
    chance = random.Random(1)
    base = replace(
        quarrel(chance, "t"), hook="validateUser", verdict="passed", check="create", hold=timedelta(minutes=10),
        values=[("email", "a@example.com")], wishes=(), codes=(), identity=None, fact=False, creates=True,
        release=timedelta(days=30), shadowed=(), brake=None,
    )  # fmt: skip
    first, second = (replace(base, person=Person(n, None, uuid4(), n)) for n in ("asha", "bina"))

    assert memory.receive(first, now).verdict == "passed"
    assert memory.receive(second, now + timedelta(minutes=9)).codes == ["email"]
    assert memory.receive(second, now + timedelta(minutes=11)).verdict == "passed"

    gone = replace(second, hook="postUpdateUser", verdict="received", check=None, hold=None, fact=True,
                   identity=Fact("DELETE", left=True, archived=False, version=None, updated=None))  # fmt: skip
    memory.receive(gone, now)
    assert memory.receive(first, now + timedelta(days=29)).codes == ["email"]
    assert memory.receive(first, now + timedelta(days=31)).verdict == "passed"

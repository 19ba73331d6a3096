"""`degraded`: the list of people let through and of those turned away, and what to do about each."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ledger.degraded import (
    COUNTED,
    NOT_KEPT,
    PASSED_UNCHECKED,
    TURNED_AWAY,
    UNDECIDED,
    WOULD_PASS,
    WOULD_REFUSE,
    WOULD_REMOVE,
)
from ledger.engine import Pool
from ledger.receive import Delivery, Note, receive
from tests.commands.conftest import Run
from tests.support import delivery, validation

ANSWERED = datetime.now(UTC) - timedelta(minutes=20)


def _note(outcome: str, *attributes: str) -> list[Note]:
    detail = {"answered": ANSWERED.isoformat()} | ({"attributes": list(attributes)} if attributes else {})
    return [Note(outcome, json.dumps(detail))]


def _late(login: str, verdict: str, check: str, *attributes: str) -> Delivery:
    return validation(login, verdict=verdict, hold=None, notes=_note(check, *attributes))


async def _fill(pool: Pool) -> None:
    await receive(pool, _late("asha", PASSED_UNCHECKED, WOULD_REFUSE, "email", "rule:end-date"))
    await receive(pool, _late("bina", PASSED_UNCHECKED, WOULD_PASS))
    await receive(pool, _late("chitra", TURNED_AWAY, WOULD_PASS))
    await receive(pool, _late("devi", TURNED_AWAY, WOULD_REFUSE, "mobile"))
    await receive(pool, validation("esha", verdict=TURNED_AWAY, hold=None))
    await receive(pool, delivery("farid", "runDeprovision", verdict=UNDECIDED, notes=_note(WOULD_REMOVE)))
    await receive(pool, delivery("gita", "runDeprovision", verdict=UNDECIDED))  # a rule that failed
    await receive(pool, validation("hari"))
    await receive(pool, replace(_late("asha", PASSED_UNCHECKED, WOULD_PASS), tenant="as200"))
    counts = {"answered": ANSWERED.isoformat(), "counts": {"validateUser: turned away": 7}}
    lost = delivery("", "degraded", person=None, verdict=NOT_KEPT, notes=[Note(COUNTED, json.dumps(counts))])
    await receive(pool, lost)


async def test_everybody_is_listed_with_what_the_check_said_and_what_to_do(run: Run, pool: Pool) -> None:
    await _fill(pool)

    result = await run("degraded", "--json")
    found = [json.loads(line) for line in result.stdout.splitlines()]

    assert result.exit_code == 1
    people = [(f["login"], f["answer"], f["check"]) for f in found if f["login"]]
    assert people == [
        ("farid", UNDECIDED, WOULD_REMOVE),
        ("esha", TURNED_AWAY, None),
        ("devi", TURNED_AWAY, WOULD_REFUSE),
        ("chitra", TURNED_AWAY, WOULD_PASS),
        ("bina", PASSED_UNCHECKED, WOULD_PASS),
        ("asha", PASSED_UNCHECKED, WOULD_REFUSE),
    ]
    by_login = {f["login"]: f for f in found}
    assert by_login["asha"]["detail"] == {"attributes": ["email", "rule:end-date"]}
    assert datetime.fromisoformat(by_login["asha"]["answered_at"]) == ANSWERED
    assert by_login["bina"]["next"] is None
    assert "save the user once more" in by_login["chitra"]["next"]
    assert "run the Deprovision rule again" in by_login["farid"]["next"]
    assert by_login[None]["detail"]["counts"] == {"validateUser: turned away": 7}


async def test_the_screen_groups_them_by_what_was_answered(run: Run, pool: Pool) -> None:
    await _fill(pool)

    screen = (await run("degraded")).stdout

    through, away = screen.index("Let through unchecked: 2"), screen.index("Turned away as Validation")
    assert through < screen.index("asha of as100") < away < screen.index("chitra of as100")
    assert "would have been refused: email, rule:end-date" in screen
    assert "7 validateUser: turned away" in screen
    assert "as200" not in screen
    assert "hari" not in screen


async def test_nothing_is_left_to_do(run: Run, pool: Pool) -> None:
    assert (await run("degraded")).exit_code == 0
    await receive(pool, _late("bina", PASSED_UNCHECKED, WOULD_PASS))
    await receive(pool, _late("devi", TURNED_AWAY, WOULD_REFUSE, "mobile"))

    assert (await run("degraded")).exit_code == 0


async def test_an_unknown_tenant_is_said(run: Run) -> None:
    result = await run("degraded", "--tenant", "nobody")

    assert result.exit_code == 2
    assert "no tenant nobody" in result.output


@pytest.mark.usefixtures("client")
async def test_the_doctor_has_a_line_about_it(run: Run, pool: Pool) -> None:
    await _fill(pool)

    result = await run("doctor", "--json")
    assert result.stdout, (result.output, result.exception)
    report = json.loads(result.stdout)

    [check] = [c for c in report["tenants"][0]["checks"] if c["name"] == "Degraded"]
    assert check["state"] == "note"
    assert "1 not kept, 2 passed unchecked, 3 turned away" in check["words"]
    assert "./hookledger degraded" in check["remedy"]

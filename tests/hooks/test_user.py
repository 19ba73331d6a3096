"""What a validate hook decides when a check in Python failed: as the tenant chose."""

from typing import Any

import pytest

from hooks.hook import Decision, Question, Ruling
from hooks.user import passed_or_refused, verdict_on_user
from rules.decision import PythonDecision
from rules.expressions import Asked, Nothing
from rules.kinds import CompiledRule, Validating
from rules.opinion import Opinion
from settings import Settings
from settings.rules import Mode

USER = {"login": "asha"}


async def _never(_asked: Asked, _tools: Any) -> bool:
    raise AssertionError("the rule is told what it gave")


def _rule(mode: Mode = "on", *, python: bool = True) -> CompiledRule:
    decision = PythonDecision("licence", "", _never) if python else None
    return Validating(
        name="licence",
        kind="validate",
        mode=mode,
        on=frozenset({"validateUser"}),
        decision=decision,
        code="NoLicence",
    )


def _asked(settings: Settings, rule: CompiledRule, given: object, *, opens: bool) -> tuple[Decision, Any]:
    opinion = Opinion(dict(USER))
    rule.speak(Asked("validateUser", "as100", {}, USER), opinion, {"licence": given})
    question = Question({"user": USER}, USER, settings.tenants["as100"], _NO_POLICY, opinion, opens)
    decision = passed_or_refused(question)
    if decision.verdict == "refused":
        return decision, None
    return decision, verdict_on_user(question, decision, Ruling(decision.verdict))


_NO_POLICY: Any = None
FAULT = Nothing("took longer than 0.5 s", fault=True)


def test_closed_turns_away(settings: Settings) -> None:
    decision, answer = _asked(settings, _rule(), FAULT, opens=False)

    assert decision.verdict == "turned away"
    assert answer == {"error": True, "message": "ValidationUnavailable"}


def test_open_lets_pass(settings: Settings) -> None:
    decision, answer = _asked(settings, _rule(), FAULT, opens=True)

    assert (decision.verdict, answer) == ("passed", {"data": USER})


@pytest.mark.parametrize("opens", [False, True])
def test_a_rule_in_shadow_that_fails_changes_nothing(settings: Settings, *, opens: bool) -> None:
    decision, _ = _asked(settings, _rule("shadow"), FAULT, opens=opens)

    assert decision.verdict == "passed"


@pytest.mark.parametrize("opens", [False, True])
def test_a_function_that_answers_is_believed(settings: Settings, *, opens: bool) -> None:
    assert _asked(settings, _rule(), True, opens=opens)[0].verdict == "refused"
    assert _asked(settings, _rule(), False, opens=opens)[0].verdict == "passed"
    assert _asked(settings, _rule(), None, opens=opens)[0].verdict == "passed"

"""Asks whether a user's applications are to be taken away: the costliest answer, so the tenant must choose it."""

from hooks.hook import SAMPLE_USER, Decision, Hook, Json, Kind, Question, Ruling
from ledger.degraded import UNDECIDED


def _decide(question: Question) -> Decision:
    """`always` and `never` as chosen; `rules` removes only what a rule says. A rule that fails leaves it undecided."""
    match question.tenant.deprovision.answer:
        case "always":
            return Decision("deprovision")
        case "never":
            return Decision("leave")
        case _ if question.opinion.removes:
            return Decision("deprovision")
        case _ if question.opinion.failed or not question.policy.by_hook["runDeprovision"]:
            return Decision(UNDECIDED)
        case _:
            return Decision("leave")


def _answer(_question: Question, _decision: Decision, ruling: Ruling) -> Json:
    return {"data": ruling.verdict == "deprovision"}


def _unavailable(_: Question) -> Decision:
    """Answered false: a wrong false leaves access, a wrong true removes it (CONTRACT B4)."""
    return Decision(UNDECIDED)


HOOK = Hook(
    name="runDeprovision",
    purpose="Asks whether to deprovision the user's applications.",
    kind=Kind.DECISION,
    braked=True,
    decide=_decide,
    answer=_answer,
    unavailable=_unavailable,
    sample={"user": SAMPLE_USER},
)

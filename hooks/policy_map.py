"""Asks for the value of one target attribute while an application is given to a user."""

from hooks.hook import SAMPLE_USER, Decision, Hook, Json, Kind, Question, Ruling
from ledger.degraded import ANSWERED_UNCHECKED

_INPUTS = ("targetAttribute", "cymmetrifield", "defaultValue", "formVeriable", "applicationId")
"""The platform's own spellings, slips included."""


def _decide(question: Question) -> Decision:
    """The tenant's rule, else the user's own attribute, else the default, else nothing (DESIGN §6)."""
    if question.opinion.mapped is not None:
        return Decision("answered", value=question.opinion.mapped)
    field = question.request.get("cymmetrifield")
    value = question.user.get(field) if isinstance(field, str) else None
    if value is None or value == "":
        value = question.request.get("defaultValue")
    return Decision("answered", value="" if value is None else value)


def _answer(_question: Question, decision: Decision, _ruling: Ruling) -> Json:
    return {"mappedValue": decision.value}


def _unavailable(question: Question) -> Decision:
    return Decision(ANSWERED_UNCHECKED, _decide(question).value)


def _keep(request: Json) -> Json:
    """The inputs and the login: called per attribute and user, so not the whole user again."""
    kept = {key: request[key] for key in _INPUTS if key in request}
    field, user = request.get("cymmetrifield"), request["user"]
    kept["user"] = {key: user[key] for key in ("id", "login", field) if isinstance(key, str) and key in user}
    return kept


HOOK = Hook(
    name="policyMap",
    purpose="Asks for the value of a target attribute.",
    kind=Kind.DECISION,
    keys={"targetAttribute": str},
    repeats_are_suspect=False,
    decide=_decide,
    answer=_answer,
    unavailable=_unavailable,
    keep=_keep,
    sample={
        "targetAttribute": "email",
        "cymmetrifield": "email",
        "defaultValue": "example@gmail.com",
        "formVeriable": "",
        "user": SAMPLE_USER,
    },
)

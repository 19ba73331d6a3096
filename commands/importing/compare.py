"""Compares what a row says with what is known: does it say anything new, and what is known after it?"""

import json
from dataclasses import dataclass
from typing import Any, Literal, cast

from commands.importing.prepare import Person, Preparer
from commands.importing.users import User
from ledger.importing import Finding, Known

Verdict = Literal["created", "updated", "unchanged", "older"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to become of a row; `person` is what is to be written of it, if anything is."""

    verdict: Verdict
    person: Person
    finding: Finding | None = None


def judge(preparer: Preparer, person: Person, known: Known | None) -> Judged:
    """A whole user replaces what is known; a row of columns speaks only of its own attributes."""
    if known is None or known.subject is None or known.body is None:
        return Judged("created", person)
    before = cast("dict[str, Any]", json.loads(known.body))
    other = said_before(before, preparer.job.file)
    finding = None
    if other is not None and other != person.line:
        finding = Finding(person.line, "repeated", "", f"line {other}")
        if other > person.line:
            return Judged("unchanged", person, finding)
    if known.older:
        return Judged("older", person, finding)
    user: User = before["request"]["user"]
    if preparer.job.columns is None:
        merged = person.user
        same = merged == user
    else:
        # Who is known by a login keeps its spelling: lists write it in capitals, or small.
        spelt = {"login": user["login"]} if known.named and "login" in user else {}
        merged, changed = _merged(user, person.user | spelt)
        same = not changed
    if same and known.named:
        return Judged("unchanged", person, finding)
    if merged is not person.user:
        person = preparer.of_user(person.line, merged, person.login)
    return Judged("updated", person, finding)


def said_before(body: dict[str, Any], file: str) -> int | None:
    """The line of this very file, read in this way, that said so; None if something else did."""
    origin = body.get("import")
    if isinstance(origin, dict):
        origin = cast("dict[str, Any]", origin)
        if origin.get("file") == file:
            return origin.get("line")
    return None


def said_in_body(body: str | None, file: str) -> int | None:
    """The same of a stored body, if it is still there."""
    return None if body is None else said_before(json.loads(body), file)


def _merged(known: Any, said: Any) -> tuple[Any, bool]:
    """What is known after this was said, and whether that is any different."""
    if not isinstance(said, dict) or not isinstance(known, dict):
        return cast("Any", said), not _equal(known, said)
    known = cast("dict[str, Any]", known)
    after, changed = known, False
    for key, value in cast("dict[str, Any]", said).items():
        inner, differs = _merged(known.get(key), value)
        if differs:
            after = {**after, key: inner}
            changed = True
    return after, changed


def _equal(known: Any, said: Any) -> bool:
    """A cell is text; the platform may have sent the same as a number."""
    if isinstance(known, int | float) and not isinstance(known, bool) and isinstance(said, str):
        return str(known) == said
    return known == said

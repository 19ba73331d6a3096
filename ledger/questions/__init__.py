"""Questions in an auditor's words: one file each. Every module here with a `QUESTION` is one of them."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ledger.questions.question import Column, Kind, Question


@cache
def questions() -> Mapping[str, Question]:
    """Every question by its name, found by looking: adding one is adding a file.

    Raises ValueError for a name that is there twice.
    """
    found: dict[str, Question] = {}
    for module in sorted(iter_modules(__path__), key=lambda m: m.name):
        question = getattr(import_module(f"{__name__}.{module.name}"), "QUESTION", None)
        if not isinstance(question, Question):
            continue
        if question.name in found:
            raise ValueError(
                f"two questions are called {question.name}: rename ledger/questions/{module.name}.py"
            )
        found[question.name] = question
    return {name: found[name] for name in sorted(found)}


__all__ = ["Column", "Kind", "Question", "questions"]

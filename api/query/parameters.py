"""What callers send, as models; mistakes are named by parameter, in our words, and never repeat a value."""

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams

from api.problems import Problem

Model = TypeVar("Model", bound=BaseModel)


class BadParameters(Problem):
    """422: which parameter, and what it must be."""

    def __init__(self, words: str) -> None:
        super().__init__(422, "bad_parameters", words)


def read(model: type[Model], given: Mapping[str, Any] | None) -> Model:
    """The model of what was given. Raises BadParameters with every mistake."""
    try:
        return model.model_validate(given or {})
    except ValidationError as wrong:
        mistakes = wrong.errors(include_input=False, include_url=False, include_context=True)
        raise BadParameters(
            "; ".join(dict.fromkeys(_words(m, model.model_fields) for m in mistakes)) + "."
        ) from None


def from_query(params: QueryParams) -> dict[str, str]:
    """Each parameter once. Raises BadParameters for one that stands twice: two readers may believe another one each."""
    found = dict(params.multi_items())
    if len(found) < len(params.multi_items()):
        raise BadParameters("A parameter stands twice.")
    return found


def _words(mistake: Any, known: Collection[str]) -> str:
    where, kind = mistake["loc"], mistake["type"]
    if kind == "extra_forbidden":
        return f"There is a parameter that is not known; known are {', '.join(known) or 'none'}"
    name = str(where[0]) if where else "The parameters"
    if kind == "missing":
        return f"{name}: is missing"
    if kind == "literal_error":
        return f"{name}: must be {mistake['ctx']['expected']}".replace("'", "")
    if kind == "value_error":
        # Raised by a model of ours, whose sentences hold no input.
        return f"{name}: {mistake['ctx']['error']}"
    return f"{name}: must be {_KINDS.get(kind.partition('_')[0], 'of another form')}"


_KINDS = {
    "uuid": "an id such as 019a0000-0000-7000-8000-000000000000",
    "date": "a day such as 2026-11-25",
    "datetime": "a time such as 2026-11-25T10:00:00Z",
    "timezone": "a time with its zone, such as 2026-11-25T10:00:00Z",
    "int": "a whole number",
    "bool": "true or false",
    "less": "less",
    "greater": "more",
    "string": "a text of the right length and form",
}

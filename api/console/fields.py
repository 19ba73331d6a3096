"""The fields of a question's form, made from the model that also reads what is sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ledger.questions.parameters import Parameters

_INPUTS = {"date": "date", "date-time": "datetime-local"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `kind` is that of an input, or `select` with its `choices`."""

    name: str
    label: str
    hint: str
    kind: str
    required: bool
    value: str
    choices: tuple[str, ...] = ()
    open: bool = False
    """None of its choices may be meant, too."""
    least: int | None = None
    most: int | None = None


def fields(model: type[Parameters], given: Mapping[str, Any]) -> Iterator[Field]:
    """Of every parameter but the tenant, which stands in the address. `given` is what was sent or asked before."""
    schema = model.model_json_schema()
    # The tenant's field is of the base, so that it comes first; what must be given is to come before what may.
    named = [(name, shape) for name, shape in schema["properties"].items() if name != "tenant"]
    required = schema.get("required", ())
    for name, shape in sorted(named, key=lambda one: one[0] not in required):
        options = [one for one in shape.get("anyOf", [shape]) if one.get("type") != "null"]
        form: dict[str, Any] = options[0] if options else {}
        choices: tuple[str, ...] = tuple(
            form.get("enum", ("false", "true") if form.get("type") == "boolean" else ())
        )
        kind = "number" if form.get("type") == "integer" else _INPUTS.get(form.get("format", ""), "text")
        value = given.get(name, shape.get("default"))
        if isinstance(value, bool):
            value = str(value).lower()
        yield Field(
            name=name,
            label=name.replace("_", " ").capitalize() + (" (UTC)" if kind == "datetime-local" else ""),
            hint=shape.get("description", ""),
            kind="select" if choices else kind,
            required=name in required,
            value="" if value is None else _local(str(value)) if kind == "datetime-local" else str(value),
            choices=choices,
            open=name not in required and shape.get("default") is None,
            least=form.get("minimum"),
            most=form.get("maximum"),
        )


def _local(text: str) -> str:
    """A time as its input wants it: UTC without saying so. What is no time is left to the browser to drop."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (at.astimezone(UTC) if at.tzinfo else at).strftime("%Y-%m-%dT%H:%M")

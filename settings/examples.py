"""A tenant's table of examples: what its rules are expected to say, for `./hookledger rules test`."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Self, cast

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from settings import Tenant, parse, wrong_at
from settings.mistakes import Mistake, in_words
from settings.places import Places
from settings.rules import Mode, Table


def _as_sent(value: Any) -> Any:
    """TOML's own dates as the platform writes them: 2026-02-28T00:00."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M")
    if isinstance(value, date):
        return value.strftime("%Y-%m-%dT00:00")
    if isinstance(value, dict):
        return {key: _as_sent(inner) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_as_sent(inner) for inner in cast("list[Any]", value)]
    return value


Object = Annotated[dict[str, Any], BeforeValidator(_as_sent)]
"""Attributes as the platform sends them."""
Sent = Annotated[Any, BeforeValidator(_as_sent)]


class Sending(Table):
    """One call of a hook. `user` goes into the request, over the file's `user`; `now`: else the file's, else this moment."""

    hook: str
    user: Object = Field(default_factory=dict[str, Any])
    request: Object = Field(default_factory=dict[str, Any])
    now: datetime | None = None


class Expected(Table):
    """What is expected; only what stands there is looked at.

    passed, refused: the verdict, and the code of a refusal.  data: attributes of the answered user, "" for absent.
    mapped: policyMap's value.  deprovision: runDeprovision's answer.  would: exactly the rules (and unique attributes) in
    shadow that would have acted.  clashes: exactly the unique attributes that refused.  faults: rules that went wrong.
    """

    passed: bool | None = None
    refused: str | None = None
    data: Object | None = None
    mapped: Sent = None
    deprovision: bool | None = None
    would: tuple[str, ...] | None = None
    clashes: tuple[str, ...] | None = None
    faults: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _looks_at_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(
                "expects nothing, so it could not fail: say passed = true, refused = …, data = …"
            )
        return self


class Example(Sending):
    """One example. Everybody of `known` was created before; the calls of `first` came before, in their order.

    before: the user as known, else the one of `known`.  people, holders: what the functions of these names give; people
    are those of `known` unless given.
    said: what a function of decisions/, by rule, is taken to give.
    """

    name: Annotated[str, Field(min_length=1)]
    expect: Expected
    before: Object | None = None
    known: tuple[Object, ...] = ()
    first: tuple[Sending, ...] = ()
    people: int | None = None
    holders: dict[str, int] = Field(default_factory=dict[str, int])
    said: Object = Field(default_factory=dict[str, Any])


class Examples(Table):
    """A file of examples. `rules` is relative to it; with no `rules`, the tenant's own are tested.

    tenant: a configured one by name, or a table of settings as in hookledger.toml, for rules that stand alone; these
    may stand in it as well.
    mode: "on" judges rules in shadow as if they were on.  tables: lookup tables that would live in the store.
    """

    tenant: str | dict[str, Any] | None = None
    rules: str | None = None
    mode: Mode | None = None
    now: datetime | None = None
    user: Object = Field(default_factory=dict[str, Any])
    known: tuple[Object, ...] = ()
    tables: dict[str, dict[str, str]] = Field(default_factory=dict[str, dict[str, str]])
    example: Annotated[tuple[Example, ...], Field(min_length=1)]


def load_examples(path: Path) -> tuple[Examples, Places]:
    """The file, and where what stands in it. Raises ConfigError."""
    text, data = parse(path)
    places = Places(path, text, rules=True)
    try:
        return Examples.model_validate(data), places
    except ValidationError as error:
        raise wrong_at(places, list(in_words(error, Examples))) from None


def tenant_alone(path: Path, places: Places, table: dict[str, Any]) -> Tenant:
    """A tenant that is only in a file of examples. Raises ConfigError."""
    stand_in: dict[str, Any] = {
        "token": {"keys": [], "proof": {"url": "https://stand.in/"}},
        "deprovision": {"answer": "rules"},
    }
    found: list[Mistake] = []
    if "token" in table:
        found.append((("tenant", "token"), "cannot stand here: examples need no secrets"))
    try:
        if not found:
            return Tenant.model_validate(stand_in | table, context=path.resolve().parent)
    except ValidationError as error:
        known = in_words(error, Tenant)
        found += [(("tenant", *where), words) for where, words in known]
    raise wrong_at(places, found)

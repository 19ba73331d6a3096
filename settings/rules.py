"""The rules that a tenant writes, as they stand in its configuration: texts, not yet compiled (docs/rules.md)."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self, cast
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from settings.mistakes import Mistake, TableError, Where
from settings.references import File
from settings.table import Table

Mode = Literal["on", "shadow", "off"]
"""on: decides. shadow: is evaluated and recorded, and changes no answer. off: is not there."""


def looks_like(pattern: str, sentence: str) -> AfterValidator:
    """A text that matches the whole pattern, or `sentence`."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(sentence)
        return value

    return AfterValidator(check)


Attribute = Annotated[
    str, looks_like(r"[^.\s]+(\.[^.\s]+)*", "must be a dotted path, as attributes.badge is")
]
Code = Annotated[str, looks_like(r"[A-Z][A-Za-z0-9]*", "must be one CamelCase word, as BadgeAlreadyExist is")]
RuleName = Annotated[
    str, looks_like(r"[a-z][a-z0-9-]{0,62}", "must be a-z, 0-9 and -, as contractor-end-date is")
]
Identifier = Annotated[
    str, looks_like(r"[A-Za-z_][A-Za-z0-9_]{0,62}", "must be letters, digits and _, beginning with no digit")
]
Cel = Annotated[str, Field(min_length=1, max_length=4096)]
"""An expression in CEL over user, before, request, tenant, hook and now."""
Python = Annotated[str, looks_like(r"[a-z][a-z0-9_]{0,62}", "must be the name of a file in decisions/")]

ValidateHook = Literal["validateUser", "validateUpdateUser"]
EnrichedHook = Literal["validateUser", "validateUpdateUser", "preCreateUser", "preUpdateUser"]
NamedHook = Literal["validateUser", "preCreateUser"]


class Rule(Table):
    """What every rule has. `name` stands in the ledger; `when` (bool) is the condition under which it applies."""

    name: RuleName
    mode: Mode | None = None
    when: Cel | None = None


class Validate(Rule):
    """Refuses a validate hook with `code`; exactly one of the four ways to say when.

    refuse: CEL, bool.  required: attributes that must be there and not empty.
    pattern: attribute to regular expression (RE2), which what is there must match as a whole.
    python: a function of decisions/.
    """

    code: Code
    on: Annotated[tuple[ValidateHook, ...], Field(min_length=1)] = ("validateUser", "validateUpdateUser")
    refuse: Cel | None = None
    required: Annotated[tuple[Attribute, ...], Field(min_length=1)] | None = None
    pattern: Annotated[dict[Attribute, str], Field(min_length=1)] | None = None
    python: Python | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        _exactly_one(self, "refuse", "required", "pattern", "python")
        return self


class Enrich(Rule):
    """Sets attributes in the answer. `set`: attribute to CEL, or `python`. Only what is empty, unless `overwrite`."""

    on: Annotated[tuple[EnrichedHook, ...], Field(min_length=1)] = ("preCreateUser", "preUpdateUser")
    set: Annotated[dict[Attribute, Cel], Field(min_length=1)] | None = None
    python: Python | None = None
    overwrite: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        _exactly_one(self, "set", "python")
        return self


class Naming(Rule):
    """Gives a value of its own to a person: the first pattern that is free; the last one counts from 2 on.

    attribute: a unique attribute of the tenant.  patterns: CEL, text; the count goes before an @, else to the end.
    ascii: transliterates.  person: CEL, text, whose value keeps the name over re-hires; else the person as known.
    """

    attribute: Attribute
    patterns: Annotated[tuple[Cel, ...], Field(min_length=1, max_length=10)]
    on: Annotated[tuple[NamedHook, ...], Field(min_length=1)] = ("validateUser", "preCreateUser")
    ascii: bool = False
    overwrite: bool = False
    person: Cel | None = None

    @model_validator(mode="after")
    def _knows_whom(self) -> Self:
        if self.attribute == "login" and (self.person is None or not self.overwrite):
            raise ValueError(
                "needs overwrite = true and person = an expression that tells people apart, such as user.employeeId: "
                "the login that the platform sends is not yet the person's"
            )
        return self


class PolicyMap(Rule):
    """Answers policyMap for `target` (any case), and for `application` if given, with `value` (CEL) or `python`.

    The first rule that applies and gives something is the answer; else the platform's own mapping.
    """

    target: Annotated[str, Field(min_length=1)]
    application: str | None = None
    value: Cel | None = None
    python: Python | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        _exactly_one(self, "value", "python")
        return self


class DeprovisionRule(Rule):
    """Speaks for `deprovision.answer = "rules"`: any `keep` (CEL, bool) keeps access, else any `remove` removes it."""

    remove: Cel | None = None
    keep: Cel | None = None
    python: Python | None = None
    """Gives true to remove."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        _exactly_one(self, "remove", "keep", "python")
        return self


class Lookup(Table):
    """A table for lookup(): `rows` inline, or a `csv` file with columns `key` and `value`, or of the `store`."""

    rows: dict[str, str] | None = None
    csv: File | None = None
    key: str = "key"
    value: str = "value"
    store: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum((self.rows is not None, self.csv is not None, self.store)) != 1:
            raise ValueError('needs exactly one of rows = {…}, csv = "file" and store = true')
        return self


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be a zone of the IANA list, such as Asia/Kolkata") from None
    return name


class Rules(Table):
    """`[tenants.NAME.rules]`. `mode` is that of every rule and unique attribute that does not say its own.

    attributes: the tenant's custom attributes at the user's top level.  zone: of the platform's dates, which have none.
    python_timeout: seconds that a function of decisions/ may take.
    """

    include: tuple[str, ...] = ()
    mode: Mode = "shadow"
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    attributes: tuple[Identifier, ...] = ()
    python_timeout: Annotated[float, Field(gt=0, le=10)] = 0.5
    tables: dict[Identifier, Lookup] = Field(default_factory=dict[str, Lookup])
    validate_: tuple[Validate, ...] = Field(default=(), alias="validate")
    enrich: tuple[Enrich, ...] = ()
    naming: tuple[Naming, ...] = ()
    policy_map: tuple[PolicyMap, ...] = ()
    deprovision: tuple[DeprovisionRule, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        seen: set[str] = set()
        found: list[Mistake] = []
        for kind in KINDS:
            for place, rule in enumerate(self.of_kind(kind)):
                if rule.name in seen:
                    words = "is also the name of another rule: reports tell rules apart by name"
                    found.append(((kind, place, "name"), words))
                seen.add(rule.name)
        if found:
            raise TableError(*found)
        return self

    def by_mode(self, uniques: Iterable[Mode | None]) -> dict[str, int]:
        """How many rules, and unique attributes of these modes, are on, in shadow and off; what there is none of is left out."""
        modes = [*uniques, *(rule.mode for kind in KINDS for rule in self.of_kind(kind))]
        return dict(Counter(str(mode or self.mode) for mode in modes))

    def of_kind(self, kind: str) -> tuple[Rule, ...]:
        """The rules of one of KINDS."""
        return cast("tuple[Rule, ...]", getattr(self, "validate_" if kind == "validate" else kind))


KINDS = ("validate", "enrich", "naming", "policy_map", "deprovision")


def _exactly_one(table: Table, *keys: str) -> None:
    given = [key for key in keys if getattr(table, key) is not None]
    if len(given) != 1:
        words = " and ".join(given) if given else "none of them"
        raise ValueError(f"needs exactly one of {', '.join(keys)}; there is {words}")


def merge(whole: dict[str, Any], part: dict[str, Any]) -> list[tuple[Where, Where]]:
    """Adds an included file's tables to a rules table. Gives where each came to stand, and where it stands in the file."""
    moved: list[tuple[Where, Where]] = []
    for key, value in part.items():
        if isinstance(value, list) and isinstance(whole.setdefault(key, []), list):
            for place, item in enumerate(cast("list[Any]", value)):
                moved.append(((key, len(whole[key])), (key, place)))
                whole[key].append(item)
        elif isinstance(value, dict) and isinstance(whole.setdefault(key, {}), dict):
            for name, item in cast("dict[str, Any]", value).items():
                moved.append(((key, name), (key, name)))
                whole[key][name] = item
        else:
            moved.append(((key,), (key,)))
            whole[key] = value
    return moved

"""CEL expressions of a tenant's rules: compiled and checked once, evaluated on each hook."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from rules import shape
from rules.functions import ABSENT, NAMES, declare
from rules.normal import value_at

Result = Literal["bool", "text", "any"]
_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+): ")
_FIELD = re.compile(r"undefined field '(\w+)' not found in struct '\w+\.(\w+)'")
_LOOKUP = re.compile(r"""\blookup\(\s*(?:"([^"]*)"|'([^']*)')""")
_MAP = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_ERROR = cel.Type.ERROR.name()
_EXTENSIONS = [ext_strings.ExtStrings(), ext_optional.ExtOptional()]
_TYPES: Mapping[Result, frozenset[str]] = {
    "bool": frozenset({"BOOL", "DYN"}),
    "text": frozenset({"STRING", "DYN", "INT"}),
    "any": frozenset(),
}


class Wrong(Exception):
    """Mistakes in an expression: of each, line and column (from 1) in its text, and what is wrong, in words."""

    def __init__(self, *found: tuple[int, int, str]) -> None:
        super().__init__("; ".join(words for _, _, words in found))
        self.found = found


class Nothing(Exception):
    """The expression says nothing. `fault`: not because something is absent, but because it went wrong."""

    def __init__(self, words: str, *, fault: bool) -> None:
        super().__init__(words)
        self.words, self.fault = words, fault


@dataclass(frozen=True)
class Asked:
    """What a rule is asked about: one delivery. `before` is the last known user, if the rules wish to know it.

    `now` is when it is asked; None: when it is evaluated.
    """

    hook: str
    tenant: str
    request: Mapping[str, Any] = field(repr=False)
    user: Mapping[str, Any] = field(repr=False)
    before: Mapping[str, Any] | None = field(default=None, repr=False)
    now: datetime | None = None

    @cached_property
    def data(self) -> dict[str, Any]:
        """What expressions see. Null is absent: the platform sends both for the same."""
        return {
            "user": _present(self.user),
            "before": _present(self.before or {}),
            "request": self.request if isinstance(self.request, dict) else dict(self.request),
            "tenant": self.tenant,
            "hook": self.hook,
            "now": self.now or datetime.now(UTC),
        }

    def changed(self, path: str) -> bool:
        """Whether the attribute differs from what was known. With nothing known, nothing has changed."""
        if self.before is None:
            return False
        return _plain(value_at(self.user, path)) != _plain(value_at(self.before, path))


def _present(user: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in user.items() if value is not None}


def _plain(value: Any) -> Any:
    """Absent, null and empty are the same to the platform, which leaves out what is empty."""
    return None if value in ("", [], {}) else value


@dataclass
class Counts:
    """What the store last said of a tenant's numbers; refreshed in the background, seconds old."""

    people: int = 0
    holders: Mapping[str, int] | None = None


class Pattern:
    """A regular expression (RE2) that a whole text must match. Raises ValueError if it is none."""

    def __init__(self, regex: str) -> None:
        self._compiled = _VALUE_ONLY.compile(f"value.matches({json.dumps(f'^(?:{regex})$')})")
        if self._compiled.eval(data={"value": ""}).type().name() == _ERROR:
            raise ValueError("is no regular expression in the syntax of RE2: check brackets and escapes")

    def matches(self, text: str) -> bool:
        """Whether the whole text matches."""
        return self._compiled.eval(data={"value": text}).value() is True


_VALUE_ONLY = cel.NewEnv(variables={"value": cel.Type.STRING})


class Dialect:
    """What a tenant's expressions are written in: the shapes, its custom attributes, its tables, the functions."""

    def __init__(
        self,
        *,
        region: str,
        zone: ZoneInfo,
        custom: Sequence[str],
        tables: dict[str, Mapping[str, str]],
        hooks: Iterable[str],
    ) -> None:
        self.region = region
        self.zone = zone
        self.tables = tables
        self.counts = Counts()
        self._custom = tuple(custom)
        self._asked: Asked | None = None
        self._pool = shape.describe(hooks, custom)
        self._functions = declare(self)
        self._run = cel.NewEnv(
            variables={"user": _MAP, "before": _MAP, "request": _MAP, **_PLAIN},
            extensions=_EXTENSIONS,
            functions=self._functions,
        )
        self._without_store = cel.NewEnv(
            variables={"user": _MAP, "request": _MAP, **_PLAIN},
            extensions=_EXTENSIONS,
            functions=[f for name, f in zip(NAMES, self._functions, strict=True) if name != "changed"],
        )
        self._checks: dict[str, cel.Env] = {}

    def compile(self, text: str, hooks: Sequence[str], result: Result) -> "Expression":
        """The expression, checked against the shape of each hook. Raises Wrong for the first mistake in it."""
        found = list(self._unknown_tables(text))
        for hook in hooks:
            try:
                checked = self._checker(hook).compile(text)
            except Exception as wrong:
                found += self._in_words(str(wrong), hook)
                raise Wrong(*sorted(found)) from None
            kind = checked.return_type().name()
            if _TYPES[result] and kind not in _TYPES[result]:
                asked = {"bool": "true or false", "text": "text"}[result]
                raise Wrong((1, 1, f"must give {asked}, and gives {kind.lower()}"))
        if found:
            raise Wrong(*found)
        return Expression(self, text, self._run.compile(text), reads_before=self._reads_before(text))

    def evaluate(self, expression: cel.Expression, asked: Asked) -> cel.Value:
        """One evaluation. Functions that need to know who is asked about find it here."""
        self._asked = asked
        return expression.eval(self._activation(asked))

    def changed(self, path: str) -> bool:
        """See rules.functions.Surroundings."""
        return self._asked is not None and self._asked.changed(path)

    def people(self) -> int:
        """See rules.functions.Surroundings."""
        return self.counts.people

    def holders(self, application: str) -> int:
        """See rules.functions.Surroundings."""
        return (self.counts.holders or {}).get(application, 0)

    def _activation(self, asked: Asked) -> cel.Activation:
        found = asked.__dict__.get("activation")
        if found is None:
            found = asked.__dict__["activation"] = self._run.Activation(asked.data)
        return found

    def _checker(self, hook: str) -> cel.Env:
        if hook not in self._checks:
            user = cel.Type(shape.user_type())
            self._checks[hook] = cel.NewEnv(
                self._pool,
                variables={
                    "user": user,
                    "before": user,
                    "request": cel.Type(shape.request_type(hook)),
                    **_PLAIN,
                },
                extensions=_EXTENSIONS,
                functions=self._functions,
            )
        return self._checks[hook]

    def _reads_before(self, text: str) -> bool:
        try:
            self._without_store.compile(text)
        except Exception:
            return True
        return False

    def _unknown_tables(self, text: str) -> Iterator[tuple[int, int, str]]:
        for found in _LOOKUP.finditer(text):
            name = found[1] or found[2] or ""
            if name not in self.tables:
                known = ", ".join(self.tables) or "none yet"
                place = found.start(1 if found[1] is not None else 2)
                line = text.count("\n", 0, place) + 1
                words = f"there is no table {name}; tables are {known}"
                yield line, place - text.rfind("\n", 0, place), words

    def _in_words(self, message: str, hook: str) -> Iterator[tuple[int, int, str]]:
        """The checker's mistakes, without what only its authors would understand."""
        places = list(_PLACE.finditer(message))
        if not places:
            yield 1, 1, message.split("\n", 1)[0]
        for place in places:
            words = message[place.end() :].split("\n", 1)[0].removesuffix(" [INVALID_ARGUMENT]")
            field = _FIELD.match(words)
            # The checker names the dot before a field.
            yield int(place[1]), int(place[2]) + bool(field), self._plain(words, field, hook)

    def _plain(self, words: str, field: re.Match[str] | None, hook: str) -> str:
        if field and field[2] == "User":
            close = shape.close_to(field[1], self._custom)
            hint = f"did you mean {close}?" if close else "if it is a custom one, add it to attributes = […]"
            return f"a user has no attribute {field[1]}; {hint}"
        if field:
            return f"{hook} sends no {field[1]}; it sends {', '.join(('user', *shape.REQUEST.get(hook, ())))}"
        if name := re.match(r"undeclared reference to '([\w.]+)'", words):
            known = ", ".join((*_VARIABLES, *NAMES))
            close = difflib.get_close_matches(name[1], (*_VARIABLES, *NAMES, *_OF_CEL), n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {known}"
            return f"{name[1]} is not known here, or not with these arguments; {hint}"
        if "null_type" in words:
            return "null never comes here: an attribute is there or not; use has(…)"
        if overload := re.match(r"found no matching overload for '(\S+)' applied to '\((.*)\)'", words):
            operator = overload[1].strip("_@").replace("_", " ")
            return f"{operator} does not go with ({overload[2].replace('hookledger.', '')})"
        words = re.sub(r" expecting \{.*", "", words).replace("mismatched input", "did not expect")
        return words.replace("'<EOF>'", "the end")


_PLAIN = {"tenant": cel.Type.STRING, "hook": cel.Type.STRING, "now": cel.Type.TIMESTAMP}
_VARIABLES = ("user", "before", "request", *_PLAIN)
_OF_CEL = ("has", "size", "contains", "startsWith", "endsWith", "matches", "duration", "timestamp", "exists", "filter",
           "replace", "split", "substring", "trim", "upperAscii", "lowerAscii", "join", "getFullYear", "getMonth")  # fmt: skip
"""What CEL itself has and people misspell."""


class Expression:
    """A compiled expression. `reads_before`: needs to know what the store last knew of the person."""

    def __init__(self, dialect: Dialect, text: str, compiled: cel.Expression, *, reads_before: bool) -> None:
        self.text = text
        self.reads_before = reads_before
        self._dialect = dialect
        self._compiled = compiled

    def value(self, asked: Asked) -> Any:
        """Plain Python. Raises Nothing if something in it is absent, or went wrong; its words hold no data."""
        value = self._dialect.evaluate(self._compiled, asked)
        if value.type().name() == _ERROR:
            raise _nothing(str(value.value()))
        plain = value.plain_value()
        if isinstance(plain, datetime):
            return plain.astimezone(self._dialect.zone).strftime("%Y-%m-%dT%H:%M")
        return plain

    def holds(self, asked: Asked) -> bool:
        """The value, which must be true or false. Raises Nothing."""
        value = self.value(asked)
        if not isinstance(value, bool):
            raise Nothing("gives neither true nor false", fault=True)
        return value


def _nothing(message: str) -> Nothing:
    if message.startswith("NOT_FOUND: Key not found") or ABSENT in message:
        key = re.search(r'map : "(\w{1,64})"$', message)
        return Nothing(f"{key[1]} is absent" if key else "something is absent", fault=False)
    if "No matching overloads" in message:
        kinds = re.search(r"found : ([\w.()]+\([\w., ]*\))", message)
        return Nothing(f"cannot {kinds[1]}" if kinds else "a value has another type", fault=True)
    return Nothing(message.split(":", 1)[0].lower().replace("_", " "), fault=True)

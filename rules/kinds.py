"""The kinds of rules, compiled: each makes its finding, and changes the opinion if it is on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ledger.receive import Stem, Wish
from rules.changing import is_empty, with_value
from rules.decision import PythonDecision
from rules.expressions import Asked, Expression, Nothing, Pattern
from rules.functions import transliterate
from rules.normal import normal, value_at
from rules.opinion import Finding, Opinion
from settings.rules import Mode

_COUNTED = "0000000000"
"""Stands where a name's count will: its normal form is that of any other digits."""


Said = Mapping[str, Any]
"""What decisions in Python gave, by rule; Nothing where they said nothing."""


@dataclass(frozen=True)
class CompiledRule:
    """One rule, whatever its kind; `speak` makes its finding and, if it is on, changes the opinion."""

    name: str
    kind: str
    mode: Mode
    on: frozenset[str]
    when: Expression | None = None
    decision: PythonDecision | None = None

    def speak(self, asked: Asked, opinion: Opinion, said: Said) -> None:
        """Adds the finding. Never raises: an error in a rule is a finding, too."""
        try:
            if self.when is not None and not self.when.holds(asked):
                finding = self.found("applies not")
            else:
                finding = self.ask(asked, opinion, said)
        except Nothing as nothing:
            finding = self.found("fault" if nothing.fault else "says nothing", words=nothing.words)
        opinion.findings.append(finding)
        if self.mode == "on":
            self.apply(finding, opinion)

    def found(self, verdict: str, **more: Any) -> Finding:
        """A finding of this rule."""
        return Finding(self.name, self.kind, self.mode, verdict, **more)

    def ask(self, asked: Asked, opinion: Opinion, said: Said) -> Finding:
        """What the rule says. Raises Nothing."""
        raise NotImplementedError

    def apply(self, finding: Finding, opinion: Opinion) -> None:
        """What follows from it."""

    def expressions(self) -> Iterator[Expression]:
        """All that it evaluates."""
        if self.when is not None:
            yield self.when

    def from_python(self, said: Said) -> Any:
        """What the rule's function gave. Raises Nothing."""
        given = said.get(self.name)
        if isinstance(given, Nothing):
            raise given
        if given is None:
            raise Nothing("the function gave nothing", fault=False)
        return given


@dataclass(frozen=True)
class Validating(CompiledRule):
    """See settings.rules.Validate."""

    code: str = ""
    refuse: Expression | None = None
    required: tuple[str, ...] = ()
    patterns: tuple[tuple[str, Pattern], ...] = ()

    def ask(self, asked: Asked, opinion: Opinion, said: Said) -> Finding:
        if self.required:
            named = {wish.attribute for wish in opinion.wishes}
            lacking = tuple(p for p in self.required if p not in named and is_empty(asked.user, p))
            return self._refuses(bool(lacking), lacking, "lacks " + ", ".join(lacking))
        if self.patterns:
            bad = tuple(path for path, pattern in self.patterns if not _matches(pattern, path, asked))
            return self._refuses(bool(bad), bad, "does not match: " + ", ".join(bad))
        if self.decision:
            return self._refuses(self.from_python(said) is True, (), "")
        return self._refuses(self.refuse is not None and self.refuse.holds(asked), (), "")

    def _refuses(self, refused: bool, attributes: tuple[str, ...], words: str) -> Finding:
        if not refused:
            return self.found("passes")
        return self.found("refuses", code=self.code, attributes=attributes, words=words)

    def apply(self, finding: Finding, opinion: Opinion) -> None:
        if finding.verdict == "refuses" and opinion.refusal is None:
            opinion.refusal = finding
        elif finding.verdict == "fault" and self.decision is not None and opinion.undecided is None:
            opinion.undecided = finding

    def expressions(self) -> Iterator[Expression]:
        yield from super().expressions()
        if self.refuse is not None:
            yield self.refuse


def _matches(pattern: Pattern, path: str, asked: Asked) -> bool:
    """What is empty matches: `required` is for that."""
    return is_empty(asked.user, path) or pattern.matches(str(value_at(asked.user, path)))


@dataclass(frozen=True)
class Enriching(CompiledRule):
    """See settings.rules.Enrich."""

    sets: tuple[tuple[str, Expression], ...] = ()
    overwrite: bool = False

    def ask(self, asked: Asked, opinion: Opinion, said: Said) -> Finding:
        given = self._given(asked, said)
        changed = {
            path: value
            for path, value in given.items()
            if (self.overwrite or is_empty(asked.user, path)) and value_at(asked.user, path) != value
        }
        if not changed:
            return self.found("passes")
        return self.found("sets", attributes=tuple(changed), value=changed)

    def _given(self, asked: Asked, said: Said) -> dict[str, Any]:
        if self.decision:
            given = self.from_python(said)
            if not isinstance(given, dict):
                raise Nothing("the function gave no dict of attributes", fault=True)
            return cast("dict[str, Any]", given)
        given, silent = dict[str, Any](), list[Nothing]()
        for path, expression in self.sets:
            try:
                given[path] = expression.value(asked)
            except Nothing as nothing:  # one attribute that cannot be made keeps no other from being set
                silent.append(nothing)
        if silent and not given:
            raise silent[0]
        return given

    def apply(self, finding: Finding, opinion: Opinion) -> None:
        if finding.verdict == "sets":
            for path, value in finding.value.items():
                opinion.user = with_value(opinion.user, path, value)
                opinion.changed[path] = value

    def expressions(self) -> Iterator[Expression]:
        yield from super().expressions()
        yield from (e for _, e in self.sets)


@dataclass(frozen=True)
class NamingRule(CompiledRule):
    """See settings.rules.Naming."""

    attribute: str = ""
    form: str = "text"
    patterns: tuple[Expression, ...] = ()
    ascii: bool = False
    overwrite: bool = False
    person: Expression | None = None
    region: str = "IN"

    def ask(self, asked: Asked, opinion: Opinion, said: Said) -> Finding:
        if not self.overwrite and not is_empty(asked.user, self.attribute):
            return self.found("passes")
        stems = tuple(dict.fromkeys(self._stem(pattern, asked) for pattern in self.patterns))
        person = None if self.person is None else str(self.person.value(asked))
        wish = Wish(self.name, self.attribute, stems, person)
        return self.found("names", attributes=(self.attribute,), value=wish)

    def _stem(self, pattern: Expression, asked: Asked) -> Stem:
        text = str(pattern.value(asked)).strip()
        if self.ascii:
            text = transliterate(text)
        if not text:
            raise Nothing("a pattern gives no text", fault=False)
        before, at, domain = text.partition("@")
        form = normal(self.form, f"{before}{_COUNTED}{at}{domain}", asked.user, self.region) or ""
        normal_before, _, normal_after = form.partition(_COUNTED)
        return Stem(before, at + domain, normal_before, normal_after)

    def apply(self, finding: Finding, opinion: Opinion) -> None:
        if finding.verdict == "names":
            opinion.wishes.append(finding.value)

    def expressions(self) -> Iterator[Expression]:
        yield from super().expressions()
        yield from self.patterns
        if self.person is not None:
            yield self.person


@dataclass(frozen=True)
class Answering(CompiledRule):
    """See settings.rules.PolicyMap."""

    target: str = ""
    application: str | None = None
    gives: Expression | None = None

    def ask(self, asked: Asked, opinion: Opinion, said: Said) -> Finding:
        if str(asked.request.get("targetAttribute", "")).lower() != self.target:
            return self.found("applies not")
        if self.application is not None and asked.request.get("applicationId") != self.application:
            return self.found("applies not")
        value = self.from_python(said) if self.decision else self.gives and self.gives.value(asked)
        if value is None:
            raise Nothing("there is no value", fault=False)
        return self.found("answers", value=value)

    def apply(self, finding: Finding, opinion: Opinion) -> None:
        if finding.verdict == "answers" and opinion.mapped is None:
            opinion.mapped = finding.value

    def expressions(self) -> Iterator[Expression]:
        yield from super().expressions()
        if self.gives is not None:
            yield self.gives


@dataclass(frozen=True)
class Deprovisioning(CompiledRule):
    """See settings.rules.DeprovisionRule."""

    remove: Expression | None = None
    keep: Expression | None = None

    def ask(self, asked: Asked, opinion: Opinion, said: Said) -> Finding:
        if self.keep is not None:
            return self.found("keeps" if self.keep.holds(asked) else "passes")
        removes = (
            self.from_python(said) is True if self.decision else self.remove and self.remove.holds(asked)
        )
        return self.found("removes" if removes else "passes")

    def apply(self, finding: Finding, opinion: Opinion) -> None:
        if finding.verdict == "removes" and opinion.removes is None:
            opinion.removes = True
        elif finding.verdict == "keeps":
            opinion.removes = False

    def expressions(self) -> Iterator[Expression]:
        yield from super().expressions()
        yield from (e for e in (self.remove, self.keep) if e is not None)

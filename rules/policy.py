"""A tenant's rules, compiled: what is asked before the store is (DESIGN §6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from rules.expressions import Asked, Dialect
from rules.kinds import CompiledRule, Said
from rules.opinion import Opinion
from settings import Unique


@dataclass(frozen=True)
class Policy:
    """Everything a tenant has decided, compiled. `hash` names it in the ledger; `text` is what the hash stands for."""

    tenant: str
    hash: str
    text: str
    dialect: Dialect
    uniques: tuple[Unique, ...]
    """Those that are not off, in the tenant's order."""
    shadowed: tuple[str, ...]
    """Unique attributes in shadow."""
    by_hook: Mapping[str, tuple[CompiledRule, ...]]
    """The rules of each hook, in the order in which they speak."""
    codes: Mapping[str, str]
    """Refusal codes, by unique attribute and by rule."""
    knowing: frozenset[str] = frozenset()
    """Hooks whose rules want to know what was last known of the person."""
    python: Mapping[str, tuple[CompiledRule, ...]] = field(
        default_factory=dict[str, tuple[CompiledRule, ...]]
    )
    """Hooks with rules that ask a decision in Python."""

    asks: frozenset[str] = frozenset()
    """Which numbers of the store the rules ask for: people, holders."""
    stored_tables: tuple[str, ...] = ()
    """Tables for lookup() that live in the store."""

    def opinion(self, asked: Asked, said: Said | None = None) -> Opinion:
        """What the rules say. Each rule sees what those before it changed."""
        opinion = Opinion(cast("dict[str, Any]", asked.user))
        for rule in self.by_hook.get(asked.hook, ()):
            if opinion.user is not asked.user:
                asked = replace(asked, user=opinion.user)
            rule.speak(asked, opinion, said or {})
        return opinion

    def code_of(self, clash: str) -> str:
        """The refusal code of a clashing attribute, or of a rule."""
        return self.codes.get(clash, "AlreadyExist")

    def first_of(self, clashes: Sequence[str]) -> str:
        """The code of the first, in the tenant's order, among what refused."""
        return next((code for clash, code in self.codes.items() if clash in clashes), self.code_of(""))

"""What each intention waits for, read from what the facts' files say they confirm (docs/contract.md)."""

from collections.abc import Sequence

from hooks import by_name
from ledger.watch import Expectation
from settings import Windows


def expectations(windows: Windows) -> Sequence[Expectation]:
    """One for each intention that a fact confirms, in the order of its chain: validate before pre."""
    hooks = by_name().values()
    facts: dict[str, list[str]] = {}
    chains: dict[str, tuple[str, ...]] = {}
    for hook in hooks:
        for intention in hook.confirms:
            facts.setdefault(intention, []).append(hook.name)
            chains.setdefault(intention, hook.confirms)
    whole = {hook.name for hook in hooks if hook.whole_user}
    return [
        Expectation(
            hook=intention,
            window=windows.of(intention),
            facts=tuple(facts[intention]),
            upto=chain[: chain.index(intention) + 1],
            onward=chain[chain.index(intention) :],
            creates=by_name()[intention.lower()].creates,
            # An application may still have to be taken from somebody who is archived: that fact stays expected.
            moot=tuple(sorted(whole.difference(facts[intention])))
            if whole.issuperset(facts[intention])
            else (),
        )
        for intention, chain in chains.items()
    ]

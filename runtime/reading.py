"""Makes the Reader that a question is answered for: who asks, and what the ledger itself cannot know."""

from hooks import by_name
from ledger.answer import Reader
from rules.normal import login
from runtime.os_user import os_user
from runtime.version import code_version


def reader(actor: str | None = None) -> Reader:
    """`actor` as it shall stand in the ledger; the user of this machine, `os:NAME`, if left out."""
    hooks = sorted(by_name().values(), key=lambda hook: hook.name)
    return Reader(
        actor=actor or os_user(),
        code_version=code_version(),
        login=login,
        hooks=tuple(hook.name for hook in hooks),
        facts=tuple(hook.name for hook in hooks if hook.fact),
    )

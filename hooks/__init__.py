"""The contract: one file per hook. Every module here with a `HOOK` is one of the platform's calls."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from hooks.hook import Hook


@cache
def by_module() -> dict[str, Hook]:
    """Every hook by its file's name, found by looking: adding a hook is adding a file."""
    found: dict[str, Hook] = {}
    for module in sorted(iter_modules(__path__), key=lambda m: m.name):
        hook = getattr(import_module(f"{__name__}.{module.name}"), "HOOK", None)
        if isinstance(hook, Hook):
            found[module.name] = hook
    return found


@cache
def by_name() -> dict[str, Hook]:
    """Every hook by its name in lower case: the platform's page spells one of them in two ways."""
    return {hook.name.lower(): hook for hook in by_module().values()}


def by_constant(name: str) -> Hook:
    """`POST_PROVISION` is the hook of `hooks/post_provision.py`. Raises AttributeError, naming the known ones."""
    hook = by_module().get(name.lower())
    if hook is None:
        known = ", ".join(module.upper() for module in by_module())
        msg = f"no hook {name}; there are {known}"
        raise AttributeError(msg)
    return hook


__all__ = ["Hook", "by_constant", "by_module", "by_name"]

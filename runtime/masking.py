"""Shows a value so that those who know it recognise it, and others learn nothing: a•••a@e•••e.com."""

_DOTS = "•••"
_SHORTEST = 4
"""Letters of which two may be shown."""


def mask(value: str) -> str:
    """First and last letters; of an address, those of both its sides, and the domain's last label."""
    local, at, domain = value.rpartition("@")
    if not at:
        return _ends(value)
    name, dot, last = domain.rpartition(".")
    return f"{_ends(local)}@{_ends(name)}{dot}{last}" if dot else f"{_ends(local)}@{_ends(domain)}"


def _ends(text: str) -> str:
    return f"{text[0]}{_DOTS}{text[-1]}" if len(text) >= _SHORTEST else _DOTS

"""What a user says of a person's state: the platform's id, and whether they are present, leaving or archived."""

from hooks.hook import Json
from ledger.receive import Fact

_LONGEST = 256
"""Characters kept of ids and names that the platform sends: two of them fit an index row of Postgres."""
_MOST_VERSION = 1 << 62


def storable(text: str | None) -> str | None:
    """Postgres text has no NUL; ids are bounded."""
    return text.replace("\x00", "\ufffd")[:_LONGEST] if text else None


def platform_id(user: Json) -> str | None:
    """The platform's own id of the user, absent before creation (CONTRACT B2.1)."""
    value = user.get("id")
    return storable(value) if isinstance(value, str) else None


def fact_of(user: Json) -> Fact:
    """The person's state as a fact tells it: DELETE is a leaver, later archived (CONTRACT B4)."""
    status, version, updated = user.get("status"), user.get("version"), user.get("updated")
    word = status.upper() if isinstance(status, str) else ""
    archived = word.startswith("ARCHIV")
    whole = isinstance(version, int) and not isinstance(version, bool) and abs(version) < _MOST_VERSION
    return Fact(
        status=storable(status) if isinstance(status, str) else None,
        left=archived or word.startswith("DELETE"),
        archived=archived,
        version=version if whole else None,
        updated=storable(updated) if isinstance(updated, str) else None,
    )

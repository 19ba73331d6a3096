"""The id of a person's workflow: given once, stored, safe in every link (TEMPORAL.md: spaces, quotes, / and @ broke some)."""

import re
from uuid import UUID

_PLAIN = re.compile(r"[A-Za-z0-9._+-]{1,64}")


def workflow_id(tenant: str, login: str | None, subject: UUID) -> str:
    """`user-lifecycle:{tenant}:{login as first seen}:{short subject id}`; without the login when it is None.

    A login outside the plain charset is written as `~` and the hex of its UTF-8, at most 32 bytes of it.
    """
    return workflow_id_of(tenant, login, subject.hex[-12:])


def workflow_id_of(tenant: str, login: str | None, short: str) -> str:
    """The same, from the last 12 digits of the subject's id."""
    if login is None:
        return f"user-lifecycle:{tenant}:{short}"
    plain = login if _PLAIN.fullmatch(login) else f"~{login.encode(errors='replace')[:32].hex()}"
    return f"user-lifecycle:{tenant}:{plain}:{short}"

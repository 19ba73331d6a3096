"""The breaker of an activity: why an attempt failed, in words that name nobody, and what that opens or keeps open."""

import re
from collections.abc import Sequence
from uuid import UUID

import uuid_utils

from ledger import incidents
from ledger.engine import Connection
from ledger.operate import Order
from ledger.work import BROKEN, Claimed

_STATUS = re.compile(r"(?:HTTP|SMTP|status) [1-5]\d\d")
"""The only words of an error that are believed to name nobody."""


def cause_of(wrong: BaseException) -> str:
    """The error's type, and what is behind it: a status, or the type of the error that it was raised for."""
    kind = type(wrong).__name__
    if _STATUS.fullmatch(words := str(wrong)):
        return f"{kind}:{words}"
    behind = wrong.__cause__ or wrong.__context__
    return f"{kind}:{type(behind).__name__}" if behind is not None else kind


def is_probe(claimed: Sequence[Claimed]) -> bool:
    """Whether an incident is open, and this attempt is to find out whether it is over."""
    return any(c.switch == BROKEN for c in claimed)


async def note_failure(
    connection: Connection,
    claimed: Sequence[Claimed],
    wrong: BaseException,
    limit: incidents.Limit | None,
    code_version: str,
) -> None:
    """An attempt failed that may be tried again: a probe gives its place up; else it may be one of many."""
    ref = claimed[0].ref
    if is_probe(claimed):
        await incidents.probe_failed(connection, ref)
    elif limit is not None and limit.users:
        cause = cause_of(wrong)
        order = Order("incident opened", "hookledger", cause, UUID(int=uuid_utils.uuid7().int), code_version)
        await incidents.notice(connection, ref, cause, limit, order)

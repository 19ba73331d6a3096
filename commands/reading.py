"""Writes down that a command has read of persons, before it prints anything of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from ledger.access import READ, record_access
from ledger.engine import Connection
from runtime.reading import reader


async def note(
    connection: Connection,
    command: str,
    tenants: Iterable[str],
    asked: Mapping[str, Any],
    people: Sequence[UUID] = (),
) -> None:
    """One entry for each tenant of whom rows are shown, with their number. `asked` names nobody; `people` were asked for."""
    who = reader()
    told = {name: value for name, value in asked.items() if value is not None}
    for tenant, rows in sorted(Counter(tenants).items()):
        detail = {"question": command, "parameters": told, "rows": rows}
        await record_access(
            connection, tenant=tenant, actor=who.actor, code_version=who.code_version, outcome=READ,
            people=people, detail=detail,
        )  # fmt: skip

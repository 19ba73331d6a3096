"""Rows as lines of COPY in its text form, taken as they arrive."""

from collections.abc import Awaitable, Callable
from typing import Any

Take = Callable[[list[bytes]], Awaitable[None]]


async def read_lines(connection: Any, statement: str, *args: Any, take: Take) -> None:
    """Hands on whole lines, a few at a time, on a connection of asyncpg's. What `take` raises is raised at the end: the driver
    waits for ever for a COPY that is broken off."""
    rest = b""
    wrong: Exception | None = None

    async def output(data: bytes) -> None:
        nonlocal rest, wrong
        if wrong is None:
            *lines, rest = (rest + data).split(b"\n")
            try:
                await take(lines)
            except Exception as raised:
                wrong = raised

    await connection.copy_from_query(statement, *args, output=output)
    if wrong is not None:
        raise wrong


async def all_lines(connection: Any, statement: str, *args: Any) -> list[bytes]:
    """All of them, where they are few."""
    found: list[bytes] = []

    async def take(lines: list[bytes]) -> None:
        found.extend(lines)

    await read_lines(connection, statement, *args, take=take)
    return found

"""What an attempt does, told to the trace of its delivery; nothing where there is none (docs/adr/0033)."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import Literal, Protocol

Kind = Literal["inside", "sql", "http"]


class Span(Protocol):
    """Something that takes time. No attribute may hold anything of a person."""

    def note(self, **attributes: str | int) -> None:
        """Adds attributes; a name's __ stands for a dot."""
        ...

    def child(self, name: str, kind: Kind) -> "AbstractContextManager[Span]":
        """A span within this one, which is the innermost until it ends."""
        ...

    def headers(self) -> Mapping[str, str]:
        """What tells another server of this span (W3C Trace Context)."""
        ...


class Nothing:
    """The span of what is not traced."""

    __slots__ = ()

    def __enter__(self) -> Span:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, where: TracebackType | None
    ) -> None: ...

    def note(self, **attributes: str | int) -> None:
        """Of Span."""

    def child(self, name: str, kind: Kind) -> AbstractContextManager[Span]:  # noqa: ARG002 - of a protocol
        """Of Span."""
        return self

    def headers(self) -> Mapping[str, str]:
        """Of Span."""
        return {}


NOTHING = Nothing()
innermost: ContextVar[Span] = ContextVar("innermost", default=NOTHING)
"""The span that is open here."""


def sql(name: str) -> AbstractContextManager[Span]:
    """What is done here at the store, within the attempt."""
    return innermost.get().child(name, "sql")

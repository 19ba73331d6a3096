"""The commands of the auditors' questions, `ledger NAME`, from one loop over the registry; and `ledger rebuild`."""

import asyncio
import inspect
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from ledger.questions import Question, questions
from settings import Settings

_PANEL = "Questions"
_ENDS = "Times are UTC. Exit codes: 0 answered, also with nothing; 2 it could not be."


def add_questions(app: typer.Typer, load: Callable[[], Settings]) -> None:
    """Adds a command for each question; all of them take the same options for how the answer is given."""
    for question in questions().values():
        app.command(
            question.name, help=f"{question.title}.\n\n{question.words}", epilog=_ENDS, rich_help_panel=_PANEL,
            short_help=question.title,
        )(_command(question, load))  # fmt: skip
    app.command("rebuild")(_rebuild(load))


def _command(question: Question, load: Callable[[], Settings]) -> Callable[..., None]:
    def command(**given: Any) -> None:
        from commands.answering import Form, run

        form = Form(
            json=given.pop("as_json"),
            csv=given.pop("as_csv"),
            limit=given.pop("limit"),
            after=given.pop("after"),
            report=given.pop("report"),
        )
        asyncio.run(run(load(), question, given, form))

    asked = [*_parameters(question), *_FORM]
    command.__signature__ = inspect.Signature(asked)  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ = {p.name: p.annotation for p in asked}
    return command


def _rebuild(load: Callable[[], Settings]) -> Callable[..., None]:
    def rebuild(
        tenant: Annotated[
            str | None, typer.Option(help="Only this tenant, by its name in hookledger.toml.")
        ] = None,
        write: Annotated[
            bool, typer.Option("--write", help="Also puts right in the store what differs.")
        ] = False,
        as_json: Annotated[
            bool, typer.Option("--json", help="For programs: one object for each tenant.")
        ] = False,
    ) -> None:
        """Computes entitlements anew from the ledger and shows whether the store holds the same.

        Exit codes: 0 equal, or written; 1 not equal; 2 it could not be done.
        """
        from commands.rebuild import run

        asyncio.run(run(load(), tenant, write=write, as_object=as_json))

    return rebuild


def _parameters(question: Question) -> Iterator[inspect.Parameter]:
    """As text: the model reads it, and says what is wrong with it."""
    for name, field in question.parameters.model_fields.items():
        optional = name == "tenant" or not field.is_required()
        words = field.description or ""
        if name == "tenant":
            words += " Needed if there are several."
        if _metavar(field) == "TIME" and name == "since":
            words += " Or 7d, 2h, 30m: so long ago."
        if field.default not in (None, ...) and not field.is_required():
            words += f" [{field.default} if left out]"
        option = typer.Option(
            f"--{name.replace('_', '-')}", help=words, metavar=_metavar(field), show_default=False
        )
        yield _keyword(name, Annotated[str | None if optional else str, option], optional=optional)


def _metavar(field: FieldInfo) -> str:
    kind: Any = field.annotation
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(k for k in get_args(kind) if k is not type(None))
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return {"datetime": "TIME", "date": "DAY", "int": "NUMBER"}.get(getattr(kind, "__name__", ""), "TEXT")


def _keyword(name: str, annotation: Any, *, optional: bool = True, default: Any = None) -> inspect.Parameter:
    empty = inspect.Parameter.empty
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default if optional else empty, annotation=annotation)


_FORM = (
    _keyword(
        "limit",
        Annotated[
            int | None,
            typer.Option(help="At most so many rows. [100 as a table, all with --json or --csv]", min=1, show_default=False),
        ],
    ),
    _keyword("after", Annotated[str | None, typer.Option(help="Goes on behind a page: what that page gave.", metavar="TOKEN")]),
    _keyword("as_json", Annotated[bool, typer.Option("--json", help="One JSON object a line; the report is on standard error.")], default=False),
    _keyword("as_csv", Annotated[bool, typer.Option("--csv", help="CSV with headings; the report is on standard error.")], default=False),
    _keyword("report", Annotated[Path | None, typer.Option(help="Also writes the report there, as JSON.", dir_okay=False)]),
)  # fmt: skip

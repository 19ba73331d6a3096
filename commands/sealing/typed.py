"""The commands of `ledger` about what is sealed, as typed: each imports what it needs when it is called."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON instead of text.")]


def add_sealing(ledger: typer.Typer, load: Callable[[], Settings]) -> None:
    """Adds them."""

    @ledger.command()
    def verify(
        kept: Annotated[
            list[Path] | None,
            typer.Option(
                help="File with a checkpoint kept elsewhere, to compare with; may be repeated.", exists=True
            ),
        ] = None,
        since: Annotated[
            Path | None, typer.Option(help="File with a checkpoint: only what came after it.", exists=True)
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Recomputes what was sealed, and names each row that was changed, removed, inserted or moved; or another history.

        Exit codes: 0 everything fits, 1 something does not, 2 it could not be looked at.
        """
        from commands.sealing.verify import Options, run

        run(load(), Options(kept or [], since, as_json))

    @ledger.command()
    def prove(
        entry: Annotated[
            int | None, typer.Argument(help="Id of an entry, from ledger search --json.")
        ] = None,
        since: Annotated[
            Path | None,
            typer.Option(help="File with a checkpoint that the ledger has grown from.", exists=True),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        """Proves that an entry is sealed (c2sp.org/tlog-proof), or that the ledger has only grown since a checkpoint.

        Exit codes: 0 proved, 1 what is stored does not give the proof, 2 there is none.
        """
        from commands.sealing.prove import run

        run(load(), entry, since, as_object=as_json)

    @ledger.command()
    def checkpoint(
        keys: Annotated[
            bool, typer.Option("--keys", help="The keys that verify checkpoints, instead.")
        ] = False,
    ) -> None:
        """Prints the newest signed checkpoint: keep it where whoever runs this ledger cannot change it."""
        from commands.sealing.checkpoint import show_keys, show_newest

        (show_keys if keys else show_newest)(load())

    @ledger.command()
    def seal(as_json: AsJson = False) -> None:
        """Seals what waits now, instead of within a minute. Exit codes: 0 done, 1 nothing can be sealed."""
        from commands.sealing.checkpoint import seal_now

        seal_now(load(), as_object=as_json)

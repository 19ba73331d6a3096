"""How a command ends that cannot do its work: one sentence on standard error, and exit code 2."""

from typing import NoReturn

import typer


def stop(sentence: str) -> NoReturn:
    """Says why, in red, and leaves. Raises typer.Exit."""
    typer.secho(sentence, err=True, fg="red")
    raise typer.Exit(2) from None

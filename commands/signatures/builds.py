"""The commands `builds`: which build of the workers Temporal gives tasks to."""

from typing import Annotated

import typer

from commands.signatures.options import AsJson, load

builds = typer.Typer(
    no_args_is_help=True, help="Builds of the workers, where they are versioned: list, current, ramp."
)


@builds.command("list")
def builds_list(as_json: AsJson = False) -> None:
    """Lists the builds whose workers Temporal has seen, newest first."""
    from commands.builds import listing

    listing(load(), as_object=as_json)


@builds.command("current")
def builds_current(
    build: Annotated[str, typer.Argument(help="A build, as `builds list` shows it.")],
) -> None:
    """Gives all tasks to a build from now on; with the build before, the way back."""
    from commands.builds import current

    current(load(), build)


@builds.command("ramp")
def builds_ramp(
    build: Annotated[str, typer.Argument(help="A build, as `builds list` shows it.")],
    percent: Annotated[float, typer.Option(min=0, max=100, help="Share of new runs.")],
) -> None:
    """Gives a share of new runs to a build, to see how it does."""
    from commands.builds import ramping

    ramping(load(), build, percent)

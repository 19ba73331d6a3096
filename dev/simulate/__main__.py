"""Lets the simulator run alone: `python -m dev.simulate`."""

import typer

from dev.simulate.command import simulate

typer.run(simulate)

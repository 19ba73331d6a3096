"""Plays the Cymmetri platform over real HTTP; imports nothing of ours that could share a mistake."""

import time
from collections.abc import Callable

from dev.simulate.delivery import Courier
from dev.simulate.options import Options, OptionsError
from dev.simulate.play import CannotPlayError, Platform
from dev.simulate.record import open_record
from dev.simulate.report import Breach, Report, Standing, Tally
from dev.simulate.wire import Wire

__all__ = ("Breach", "CannotPlayError", "Options", "OptionsError", "Report", "Standing", "simulate")


def unwatched(_standing: Standing) -> None:
    """The progress of a run that nobody looks at."""


async def simulate(options: Options, progress: Callable[[Standing], None] = unwatched) -> Report:
    """Tells the stories to the receiver and checks each answer by the contract.

    Raises CannotPlayError when there is no receiver, it refuses the token or went away, or the seed is spent;
    OSError when the record or the CA file cannot be opened.
    """
    tally = Tally(options.users)
    wire = Wire(options.url, ca=str(options.ca) if options.ca else None, timeout=options.timeout)
    with open_record(options.record) as recorder:
        begun = time.perf_counter()
        try:
            await Platform(options, tally, Courier(options, tally, recorder, wire), progress).play()
        finally:
            await wire.close()
    return tally.report(options.seed, time.perf_counter() - begun)

"""Looks at the spool of this host: whether there is one, what waits in it, and whether something was set aside."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from commands.doctor.findings import Check
from commands.spool import WHERE, Standing, look
from runtime.spool import Journal
from runtime.spool.opening import keys_of
from settings import Settings

_NAME = "Spool"
_LONG = 60.0
"""Seconds after which something should have been recorded, unless the store is away."""


def look_at_spool(settings: Settings) -> Iterator[Check]:
    """One check. From elsewhere than the api, a worker's container say, its folder is not to be seen."""
    folder = settings.spool.folder
    if folder is None:
        words = "there is none: while Postgres is away, events are refused and lost"
        yield Check(_NAME, "note", words, "Give [spool] a folder on a disk that stays: docs/spool.md.")
        return
    try:
        yield _check(_standing(settings, folder), settings.api.max_body)
    except OSError as wrong:
        words = f"{folder} is not to be seen from here ({wrong.strerror}): what waits in it is not known"
        yield Check(_NAME, "note", words, f"./hookledger spool tells it: {WHERE}.")


def _standing(settings: Settings, folder: Path) -> Standing:
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))  # a journal would make it
    with contextlib.closing(Journal(folder, keys_of(settings), settings.spool.max_bytes)) as journal:
        return look(journal, folder, check=False)


def _check(standing: Standing, most: int) -> Check:
    words = f"{standing.records:,} records wait" if standing.records else "nothing waits"
    if standing.aside:
        words += f"; {standing.aside} could not be recorded and lie in damaged/"
        return Check(_NAME, "wrong", words, "docs/spool.md says what they are and what to do.")
    if standing.free < most:
        return Check(
            _NAME, "wrong", f"{words}; it has no room left", "Free its disk, or raise spool.max_bytes."
        )
    if standing.age > _LONG:
        words += f", the oldest for {standing.age:,.0f} s"
        return Check(
            _NAME, "wrong", words, "Is an api running here, and Postgres within its reach? See its log."
        )
    return Check(_NAME, "fine", words)

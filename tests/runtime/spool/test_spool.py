"""What waits for the spool's disk is bounded in number and in octets, and what was written makes room again."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from runtime.spool import spool as spools
from runtime.spool.frames import MOST_TEXT
from runtime.spool.journal import Entry, Journal, NoRoom, TooLong
from runtime.spool.spool import Spool

KEY = b"k" * 32


class _Slow(Journal):
    """A disk that writes when it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, [KEY], 1024 * 1024)
        self.go_on = threading.Event()

    def append(self, entries: Sequence[Entry]) -> None:
        self.go_on.wait(10)
        super().append(entries)


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncGenerator[tuple[Spool, _Slow]]:
    journal = _Slow(tmp_path / "spool")
    spool = Spool(journal, KEY)
    yield spool, journal
    journal.go_on.set()
    await spool.close()


@pytest.mark.parametrize(("bound", "most"), [("_MOST_OCTETS", 1_000), ("_MOST_WAITING", 4)])
async def test_more_than_may_wait_for_the_disk_is_turned_away(
    slow: tuple[Spool, _Slow], monkeypatch: pytest.MonkeyPatch, bound: str, most: int
) -> None:
    monkeypatch.setattr(spools, bound, most)
    spool, journal = slow
    written = asyncio.create_task(spool.append(b"x" * 200, 1, (1, 2)))
    await asyncio.sleep(0.05)  # on its way to the disk, and in memory until it is there
    waiting = [asyncio.create_task(spool.append(b"x" * 200, 1, (1, 2))) for _ in range(4)]
    await asyncio.sleep(0.05)

    with pytest.raises(NoRoom):
        await spool.append(b"x", 1, (1, 2))
    journal.go_on.set()
    await asyncio.gather(written, *waiting)

    await spool.append(b"x" * 800, 1, (1, 2))
    assert spool.figures().records == 6


async def test_a_record_that_is_too_long_is_turned_away_and_takes_no_other_with_it(
    slow: tuple[Spool, _Slow],
) -> None:
    spool, journal = slow
    before = asyncio.create_task(spool.append(b"x", 1, (1, 2)))
    beside = asyncio.create_task(spool.append(b"x", 1, (1, 2)))
    await asyncio.sleep(0)

    with pytest.raises(TooLong):
        await spool.append(b"x" * (MOST_TEXT + 1), 1, (1, 2))

    journal.go_on.set()
    await asyncio.gather(before, beside)
    assert spool.figures().records == 2

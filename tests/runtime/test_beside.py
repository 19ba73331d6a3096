"""What runs beside a process's work outlives what nobody expected, and never keeps the process from ending."""

import asyncio
import logging

import pytest

from runtime import beside as module
from runtime.beside import beside, guarded


async def _idle() -> None:
    await asyncio.sleep(60)


async def test_what_goes_wrong_begins_anew_and_the_log_has_no_text_of_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.01)
    begun, well = list[int](), asyncio.Event()

    async def deed() -> None:
        begun.append(1)
        if len(begun) < 3:
            raise KeyError("somebody's name")
        well.set()
        await _idle()

    async with beside({"deed": deed}), asyncio.timeout(5):
        await well.wait()

    assert caplog.text.count("deed: fault KeyError") == 2
    assert "somebody" not in caplog.text


async def test_what_is_done_is_not_begun_anew() -> None:
    begun = list[int]()

    async def deed() -> None:
        begun.append(1)

    async with beside({"deed": deed}):
        await asyncio.sleep(0.05)
    assert begun == [1]


async def test_the_end_waits_for_each_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ENDED_WITHIN", 0.2)
    ended, before = list[str](), asyncio.all_tasks()

    async def tidy() -> None:
        try:
            await _idle()
        finally:
            await asyncio.sleep(0.01)
            ended.append("tidy")

    async def fails() -> None:
        try:
            await _idle()
        finally:
            raise KeyError

    async def deaf() -> None:
        try:
            await _idle()
        except asyncio.CancelledError:
            await asyncio.sleep(1)

    async with asyncio.timeout(0.9):
        async with beside({"tidy": tidy, "fails": fails, "deaf": deaf}):
            await asyncio.sleep(0)
    assert ended == ["tidy"]
    assert len(asyncio.all_tasks() - before) == 1  # the deaf one; what failed at its end is not begun anew


async def test_an_error_of_the_block_is_the_blocks() -> None:
    with pytest.raises(ValueError, match="ours"):
        async with beside({"idle": _idle}):
            raise ValueError("ours")


async def test_what_is_guarded_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def deed() -> None:
        raise RuntimeError("somebody's name")

    with caplog.at_level(logging.ERROR):
        await guarded("closing", deed)
    assert "closing: fault RuntimeError" in caplog.text
    assert "somebody" not in caplog.text

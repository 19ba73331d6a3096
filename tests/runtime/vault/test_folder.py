"""The folder of epoch keys: one maker wins, files are closed to others and wrapped, what is destroyed is gone and listed."""

import errno
import logging
import multiprocessing
import os
import stat
import time
from datetime import timedelta
from pathlib import Path

import pytest

from runtime.vault import Epoch, Folder
from runtime.vault.keeping import destroy_due

WRAP = [b"w" * 32]
HOUR = 490_000
LIFE = timedelta(days=2)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "vault", WRAP)


def _take(path: str, at: float) -> bytes:
    time.sleep(max(at - time.time(), 0))
    return Folder(Path(path), WRAP).take(HOUR)[1]


def test_of_many_processes_one_makes_the_key(folder: Folder) -> None:
    at = time.time() + 1.5
    with multiprocessing.get_context("spawn").Pool(6) as pool:
        keys = pool.starmap(_take, [(str(folder.path), at)] * 24)
    assert len(set(keys)) == 1
    assert folder.epochs() == [Epoch(HOUR)]
    assert [path.name for path in folder.path.iterdir()] == ["2025-11-24T16Z-00.key"]


def test_nobody_else_may_look(folder: Folder) -> None:
    before = os.umask(0)
    folder.take(HOUR)
    folder.destroy(Epoch(HOUR), "a leak", "test")
    folder.take(HOUR)
    os.umask(before)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.path.iterdir()} == {0o600}


def test_a_copied_folder_alone_tells_nothing(folder: Folder) -> None:
    epoch, key = folder.take(HOUR)
    [file] = folder.path.iterdir()
    assert key not in file.read_bytes()
    assert Folder(folder.path, [b"x" * 32]).read(epoch) is None
    assert Folder(folder.path, [b"x" * 32, *WRAP]).read(epoch) == key, "a former wrapping key opens"


def test_a_key_fits_its_own_name_only(folder: Folder) -> None:
    folder.take(HOUR)
    [file] = folder.path.iterdir()
    file.rename(folder.path / f"{Epoch(HOUR + 1).name}.key")
    assert folder.read(Epoch(HOUR + 1)) is None


@pytest.mark.parametrize("text", [b"", b"HLK\x01", b"HLK\x01" + b"x" * 60, b"x" * 64])
def test_a_damaged_key_is_passed_over_by_a_new_one(folder: Folder, text: bytes) -> None:
    folder.take(HOUR)
    [file] = folder.path.iterdir()
    file.write_bytes(text)
    assert folder.read(Epoch(HOUR)) is None
    assert folder.take(HOUR)[0] == Epoch(HOUR, 1)


def test_what_is_destroyed_is_overwritten_unlinked_and_listed(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    epoch, _ = folder.take(HOUR)
    [file] = folder.path.iterdir()
    before = file.read_bytes()
    with file.open("rb") as held:
        assert folder.destroy(epoch, "a leak", "os:test")
        after = held.read()
    assert len(after) == len(before)
    assert after != before
    assert not file.exists()
    assert [(d.key, d.why, d.by) for d in folder.destroyed()] == [(epoch.name, "a leak", "os:test")]
    assert f"vault key {epoch.name} destroyed by os:test: a leak" in caplog.text
    assert not folder.destroy(epoch, "a leak", "os:test"), "it was destroyed already"


def test_a_key_is_destroyed_an_hour_after_all_that_it_seals(folder: Folder) -> None:
    epoch, _ = folder.take(HOUR)
    due = epoch.begins + timedelta(hours=2) + LIFE
    half, young = folder.path / ".half-1", folder.path / ".half-2"
    for path, age in ((half, 4000), (young, 10)):
        path.write_text("x")
        os.utime(path, (time.time() - age, time.time() - age))
    assert folder.destroy_due(LIFE, due - timedelta(seconds=1), "test") == 0
    assert folder.destroy_due(LIFE, due, "test") == 1
    assert folder.epochs() == []
    assert (half.exists(), young.exists()) == (False, True)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> dict[str, OSError]:
    """Files, by name, that take a few octets and then no more."""
    refused, write = dict[str, OSError](), os.write

    def writing(file: int, text: bytes) -> int:
        wrong = refused.get(Path(f"/proc/self/fd/{file}").readlink().name)
        if wrong is None:
            return write(file, text)
        if len(text) > 10:
            return write(file, text[:10])
        raise wrong

    monkeypatch.setattr(os, "write", writing)
    return refused


def test_a_key_that_cannot_be_destroyed_keeps_no_other_alive(
    folder: Folder, refusing: dict[str, OSError]
) -> None:
    for hour in range(HOUR, HOUR + 4):
        folder.take(hour)
    now = Epoch(HOUR + 2).due(LIFE)
    refusing[f"{Epoch(HOUR).name}.key"] = OSError(errno.EIO, "Input/output error")
    for _ in range(2):
        with pytest.raises(OSError, match=r"2025-11-24T16Z-00: Input/output error$"):
            folder.destroy_due(LIFE, now, "test")
        assert folder.epochs() == [Epoch(HOUR), Epoch(HOUR + 3)]
        assert [d.key for d in folder.destroyed()] == [Epoch(HOUR + 1).name, Epoch(HOUR + 2).name]
    refusing.clear()
    assert folder.destroy_due(LIFE, now, "test") == 1
    assert [d.key for d in folder.destroyed()][2:] == [Epoch(HOUR).name]


def test_of_many_that_are_left_a_few_are_named(folder: Folder, refusing: dict[str, OSError]) -> None:
    for hour in range(HOUR, HOUR + 5):
        folder.take(hour)
        refusing[f"{Epoch(hour).name}.key"] = OSError(errno.EPERM, "Operation not permitted")
    with pytest.raises(PermissionError, match="T18Z-00: Operation not permitted; 2 more"):
        folder.destroy_due(LIFE, Epoch(HOUR + 5).due(LIFE), "test")


def test_a_list_that_takes_nothing_stops_nothing_and_gets_its_lines_later(
    folder: Folder, refusing: dict[str, OSError], caplog: pytest.LogCaptureFixture
) -> None:
    for hour in (HOUR, HOUR + 1, HOUR + 2):
        folder.take(hour)
    now = Epoch(HOUR + 1).due(LIFE)
    assert folder.destroy_due(LIFE, Epoch(HOUR).due(LIFE), "test") == 1
    refusing["destroyed.jsonl"] = OSError(errno.ENOSPC, "No space left on device")
    for _ in range(2):
        with pytest.raises(OSError, match=r"destroyed\.jsonl: No space left on device"):
            folder.destroy_due(LIFE, now, "test")
    assert folder.destroy(Epoch(HOUR + 2), "a leak", "os:test")
    assert "takes no line for key 2025-11-24T18Z-00 (No space left on device)" in caplog.text
    assert [path.suffix for path in sorted(folder.path.iterdir())] == [".gone", ".gone", ".jsonl", ""]
    assert len(folder.destroyed()) == 1
    assert folder.was_destroyed(Epoch(HOUR + 1))
    assert folder.take(HOUR + 2)[0] == Epoch(HOUR + 2, 1), "a serial is never used twice"
    refusing.clear()
    for _ in range(2):
        assert folder.destroy_due(LIFE, now, "test") == 0
    assert [(d.key, d.why) for d in folder.destroyed()] == [
        (Epoch(HOUR).name, "expired"),
        (Epoch(HOUR + 1).name, "expired"),
        (Epoch(HOUR + 2).name, "not known: the list had no line of it"),
    ]
    assert list(folder.path.glob("*.gone")) == []


def test_a_key_whose_line_a_crash_left_out_is_listed_once(folder: Folder) -> None:
    """Killed after the line and before the end, and within a line: the first has one, the second gets one."""
    for hour in (HOUR, HOUR + 1):
        folder.take(hour)
        folder.destroy(Epoch(hour), "a leak", "test")
    listed = folder.path / "destroyed.jsonl"
    listed.write_text(listed.read_text()[:-20])
    for hour in (HOUR, HOUR + 1):
        (folder.path / f"{Epoch(hour).name}.gone").write_bytes(b"x" * 64)
    assert folder.destroy_due(LIFE, Epoch(HOUR + 1).due(LIFE), "worker") == 0
    assert [(d.key, d.by) for d in folder.destroyed()] == [
        (Epoch(HOUR).name, "test"),
        (Epoch(HOUR + 1).name, "worker"),
    ]


async def test_what_could_not_be_destroyed_is_said(
    folder: Folder, refusing: dict[str, OSError], caplog: pytest.LogCaptureFixture
) -> None:
    folder.take(HOUR)
    refusing[f"{Epoch(HOUR).name}.key"] = OSError(errno.EIO, "Input/output error")
    with caplog.at_level(logging.ERROR):
        assert await destroy_due(folder, "worker") == "2025-11-24T16Z-00: Input/output error"
    [line] = caplog.messages
    assert line == (
        "vault: not all whose time is over could be destroyed (2025-11-24T16Z-00: Input/output error)"
    )


def test_where_there_is_no_folder_there_is_nothing(folder: Folder) -> None:
    assert (folder.epochs(), folder.destroyed(), folder.read(Epoch(HOUR))) == ([], [], None)
    assert folder.destroy_due(LIFE, Epoch(HOUR).begins, "test") == 0
    assert not folder.path.exists()


@pytest.mark.parametrize("name", ["x", "2025-11-24T16Z", "2025-13-24T16Z-00", "2025-11-24T16Z-00.key"])
def test_other_names_are_none(name: str) -> None:
    assert Epoch.named(name) is None


def test_a_name_tells_its_epoch() -> None:
    assert Epoch.named(Epoch(HOUR, 123).name) == Epoch(HOUR, 123)

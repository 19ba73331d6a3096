"""The folder of epoch keys: one maker wins, files are closed to others and wrapped, what is destroyed is gone and listed."""

import multiprocessing
import os
import stat
import time
from datetime import timedelta
from pathlib import Path

import pytest

from runtime.vault import Epoch, Folder

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


def test_where_there_is_no_folder_there_is_nothing(folder: Folder) -> None:
    assert (folder.epochs(), folder.destroyed(), folder.read(Epoch(HOUR))) == ([], [], None)
    assert folder.destroy_due(LIFE, Epoch(HOUR).begins, "test") == 0
    assert not folder.path.exists()


@pytest.mark.parametrize("name", ["x", "2025-11-24T16Z", "2025-13-24T16Z-00", "2025-11-24T16Z-00.key"])
def test_other_names_are_none(name: str) -> None:
    assert Epoch.named(name) is None


def test_a_name_tells_its_epoch() -> None:
    assert Epoch.named(Epoch(HOUR, 123).name) == Epoch(HOUR, 123)

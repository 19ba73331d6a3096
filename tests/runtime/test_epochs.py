"""Keys of the hour: one for all processes, changed by the hour, destroyed in time; afterwards nobody opens anything."""

import multiprocessing
import stat
from pathlib import Path

import pytest

from runtime import epochs as module
from runtime.epochs import HOUR, KEPT_FOR, Epochs, EpochsAway
from runtime.vault import Vault

WRAPPING = b"w" * 32
NOW = 1_795_651_200.0 + 100


class Clock:
    """A time that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        monkeypatch.setattr(module.time, "time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def _vault(folder: Path, wrapping: bytes = WRAPPING) -> Vault:
    return Vault(b"f" * 32, Epochs(folder, wrapping))


def test_every_hour_has_its_key_and_all_processes_have_the_same(tmp_path: Path, clock: Clock) -> None:
    one, two = Epochs(tmp_path, WRAPPING), Epochs(tmp_path, WRAPPING)
    first = one.current()
    assert two.current() == first
    clock.now += HOUR
    second = two.current()
    assert second != first
    assert one.current() == second
    assert one.key(first[0]) == first[1]


def test_what_is_sealed_opens_until_the_key_is_destroyed_and_never_again(
    tmp_path: Path, clock: Clock
) -> None:
    api, worker = _vault(tmp_path), _vault(tmp_path)
    sealed = api.seal("d1", "hunter2-fake")
    assert worker.unseal("d1", sealed) == "hunter2-fake"
    assert worker.unseal("d2", sealed) is None
    assert worker.epochs is not None
    [epoch] = worker.epochs.all()

    clock.now = epoch.destroyed_at - 1
    assert worker.unseal("d1", sealed) == "hunter2-fake"
    assert worker.epochs.tidy() == 0

    clock.now = epoch.destroyed_at
    # Nobody opens it from memory, either, whether or not the file is gone already.
    assert api.unseal("d1", sealed) is None
    fresh = Epochs(tmp_path, WRAPPING)
    assert fresh.tidy() == 1
    assert list(tmp_path.iterdir()) == []

    # With everything that is left: the blob as in a backup or the WAL, the configuration's keys, any clock.
    clock.now = NOW
    assert _vault(tmp_path).unseal("d1", sealed) is None
    assert Vault(b"f" * 32).unseal("d1", sealed) is None


def test_a_key_outlives_what_it_sealed(tmp_path: Path, clock: Clock) -> None:
    """Sealed in the last second of its hour, a secret's two days end an hour before its key does."""
    epochs = Epochs(tmp_path, WRAPPING)
    clock.now = (NOW // HOUR + 1) * HOUR - 1
    begins, _ = epochs.current()
    clock.now += module.SEALED_FOR.total_seconds()
    assert epochs.key(begins) is not None
    assert KEPT_FOR.total_seconds() == 49 * HOUR


def test_a_rotated_key_is_used_by_all_and_the_earlier_one_still_opens(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = _vault(tmp_path)
    before = api.seal("d", "before")
    clock.now += 50
    Epochs(tmp_path, WRAPPING).rotate()
    monkeypatch.setattr(module, "_LOOK_AGAIN", -1.0)
    after = api.seal("d", "after")
    assert before[:10] != after[:10]
    assert [api.unseal("d", sealed) for sealed in (before, after)] == ["before", "after"]


def test_destroyed_by_hand_it_is_gone_while_others_stay(tmp_path: Path, clock: Clock) -> None:
    vault = _vault(tmp_path)
    old = vault.seal("d", "old")
    clock.now += HOUR
    new = vault.seal("d", "new")
    assert vault.epochs is not None
    assert vault.epochs.destroy(vault.epochs.all()[:1]) == 1
    assert [vault.unseal("d", sealed) for sealed in (old, new)] == [None, "new"]


def test_a_copy_of_the_folder_opens_nothing_without_the_wrapping_key(tmp_path: Path) -> None:
    sealed = _vault(tmp_path).seal("d", "x")
    assert _vault(tmp_path, b"v" * 32).unseal("d", sealed) is None
    [file] = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_file_given_another_name_opens_nothing(tmp_path: Path, clock: Clock) -> None:
    epochs = Epochs(tmp_path, WRAPPING)
    begins, _ = epochs.current()
    (tmp_path / f"epoch-{begins}.key").rename(tmp_path / f"epoch-{begins - HOUR}.key")
    assert Epochs(tmp_path, WRAPPING).key(begins - HOUR) is None


def test_what_was_sealed_before_there_were_epochs_still_opens(tmp_path: Path) -> None:
    sealed = Vault(b"f" * 32).seal("d", "old")
    assert _vault(tmp_path).unseal("d", sealed) == "old"


def test_a_changed_byte_does_not_open(tmp_path: Path) -> None:
    vault = _vault(tmp_path)
    sealed = vault.seal("d", "x")
    for n in range(len(sealed)):
        assert vault.unseal("d", sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :]) is None
        assert vault.unseal("d", sealed[:n]) is None


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EpochsAway):
        _vault(tmp_path / "file").seal("d", "x")


def _first(folder: Path, results: "multiprocessing.Queue[bytes]") -> None:
    results.put(Epochs(folder, WRAPPING).current()[1])


def test_processes_that_begin_an_hour_together_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[bytes] = context.Queue()
    crowd = [context.Process(target=_first, args=(tmp_path, results)) for _ in range(4)]
    for process in crowd:
        process.start()
    keys = {results.get(timeout=30) for _ in crowd}
    for process in crowd:
        process.join(30)
    hours = len(list(tmp_path.glob("epoch-*.key")))
    assert len(keys) == hours  # one, unless an hour began meanwhile
    assert len(list(tmp_path.iterdir())) == hours  # no draft is left

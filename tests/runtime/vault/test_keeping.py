"""What is done for the vault in the background: a disk that hangs stops nothing else, and is said."""

import asyncio
import threading
from collections.abc import Generator
from pathlib import Path
from unittest.mock import Mock

import pytest

from runtime.seeing.at_work import AtWork
from runtime.seeing.meters import Meters
from runtime.sweep import Sweep
from runtime.vault import Epoch, Folder, Vault, epoch_of, keeping
from settings import Settings, Store
from tests.support import write_configuration

HOUR = 490_000


class _Hanging(Folder):
    """As on a mount whose server is away, from `hang` to `answer`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, [b"w" * 32])
        self._answers = threading.Event()
        self._answers.set()
        self.hang, self.answer = self._answers.clear, self._answers.set

    def epochs(self) -> list[Epoch]:
        assert self._answers.wait(30)
        return super().epochs()


@pytest.fixture
def folder(tmp_path: Path) -> Generator[_Hanging]:
    folder = _Hanging(tmp_path / "vault")
    yield folder
    folder.answer()


async def _until(vault: Vault, words: str) -> None:
    async with asyncio.timeout(10):
        while words != vault.trouble:  # noqa: ASYNC110 - nobody tells it
            await asyncio.sleep(0.01)


async def test_a_disk_that_hangs_is_said_and_the_last_key_helps_out(folder: _Hanging) -> None:
    now = HOUR * 3600.0
    vault = Vault(folder, b"k" * 32, lambda: now)
    vault.refresh()
    folder.hang()
    work = asyncio.create_task(keeping.keep_keys(vault, every=0.01, patience=0.05))
    now += 3600
    await _until(vault, "its folder does not answer: passwords are kept until 18:00Z")
    assert epoch_of(vault.seal("d1", "hunter2-fake") or b"") == Epoch(HOUR)
    now += 3600
    assert vault.seal("d1", "hunter2-fake") is None
    assert vault.trouble == "its folder does not answer: passwords are not kept"
    folder.answer()
    async with asyncio.timeout(10):
        while epoch_of(vault.seal("d1", "hunter2-fake") or b"") != Epoch(HOUR + 2):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    assert vault.trouble == ""
    work.cancel()


async def test_a_disk_that_hangs_keeps_no_api_from_its_start(
    folder: _Hanging, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(_settings: Settings) -> Folder:
        return folder

    monkeypatch.setattr(keeping, "open_folder", opened)
    settings = write_configuration(tmp_path, store, '[vault]\nfolder = "vault"')
    vault = Vault(folder, b"k" * 32)
    folder.hang()
    async with asyncio.timeout(10):
        await keeping.begin(settings, vault, "api", patience=0.05)
    assert vault.trouble == "its folder does not answer: passwords are not kept"
    folder.answer()
    await _until(vault, "")


async def test_a_disk_that_hangs_stops_no_sweep(
    folder: _Hanging,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def opened(_settings: Settings) -> Folder:
        return folder

    monkeypatch.setattr("runtime.sweep.open_folder", opened)
    settings = write_configuration(tmp_path, store, '[vault]\nfolder = "vault"')
    sweep = Sweep(None, None, settings)  # pyright: ignore[reportArgumentType] - it looks at the folder only
    folder.take(HOUR)
    folder.hang()
    for _ in range(3):
        sweep.destroy_due()
        await asyncio.sleep(0.05)
    assert caplog.messages == ["vault: its folder does not answer: no key is destroyed"] * 2
    assert _vault_up(sweep) == 0
    folder.answer()
    async with asyncio.timeout(10):
        while sweep.vault_trouble:
            await asyncio.sleep(0.01)
            sweep.destroy_due()
    assert (folder.epochs(), _vault_up(sweep)) == ([], 1)


def _vault_up(sweep: Sweep) -> float | None:
    meters = Meters()
    AtWork(Mock(), sweep, Mock(), Mock()).register(meters)
    return meters.registry.get_sample_value("hookledger_vault_up")

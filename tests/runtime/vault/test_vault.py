"""The vault: opens for the same delivery under the hour's key, and for nothing else; never after that is destroyed.

What is only not seen is not taken for gone.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from activities._activity import SEALED_FOR
from activities._errors import SecretOutOfReach
from runtime.vault import Epoch, Folder, Vault, epoch_of

KEY, WRAP = b"k" * 32, [b"w" * 32]
HOUR = 490_000
SECRET = "hunter2-fake"


class _Clock:
    def __init__(self) -> None:
        self.now = HOUR * 3600.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "vault", WRAP)


@pytest.fixture
def vault(folder: Folder, clock: _Clock) -> Vault:
    vault = Vault(folder, KEY, clock)
    vault.refresh()
    return vault


def _sealed(vault: Vault, secret: str = SECRET) -> bytes:
    sealed = vault.seal("d1", secret)
    assert sealed is not None
    return sealed


@pytest.mark.parametrize("secret", [SECRET, "", "pä$$wörd 🔑", "x" * 100_000])
def test_opens_for_its_delivery(vault: Vault, secret: str) -> None:
    assert vault.unseal("d1", _sealed(vault, secret)) == secret


def test_another_process_opens_it(vault: Vault, folder: Folder) -> None:
    assert Vault(folder, KEY).unseal("d1", _sealed(vault)) == SECRET


def _opened(vault: Vault, delivery: str, sealed: bytes) -> str | None:
    """What comes out of it, whether or not it might still open elsewhere."""
    try:
        return vault.unseal(delivery, sealed)
    except SecretOutOfReach:
        return None


def test_does_not_open_for_another_delivery(vault: Vault) -> None:
    assert _opened(vault, "d2", _sealed(vault)) is None


def test_a_changed_seal_does_not_open(vault: Vault) -> None:
    sealed = _sealed(vault)
    for n in range(len(sealed)):
        assert _opened(vault, "d1", sealed[:n] + bytes([sealed[n] ^ 1]) + sealed[n + 1 :]) is None


@pytest.mark.parametrize("length", [0, 3, 4, 9, 10, 11, 22, 27])
def test_a_cut_seal_does_not_open(vault: Vault, length: int) -> None:
    assert _opened(vault, "d1", _sealed(vault)[:length]) is None


def _another_folder(folder: Folder) -> Folder:
    other = Folder(folder.path.with_name("other"), WRAP)
    other.take(HOUR)
    return other


_UNSEEN: dict[str, Callable[[Folder], Folder | None]] = {
    "no folder is configured": lambda _: None,
    "the folder is not mounted": lambda folder: Folder(folder.path.with_name("elsewhere"), WRAP),
    "wrapped with a key that came later": lambda folder: Folder(folder.path, [b"x" * 32]),
    "a folder of its own": _another_folder,
}


@pytest.mark.parametrize("how", _UNSEEN)
def test_a_key_that_is_not_seen_is_not_gone_before_its_time(
    vault: Vault, folder: Folder, clock: _Clock, how: str
) -> None:
    sealed = _sealed(vault)
    other = Vault(_UNSEEN[how](folder), KEY, clock)
    clock.now = (Epoch(HOUR).due(SEALED_FOR) - timedelta(seconds=1)).timestamp()
    with pytest.raises(SecretOutOfReach, match=r"2025-11-24T16Z-00 does not open it here: give this worker"):
        other.unseal("d1", sealed)
    assert vault.unseal("d1", sealed) == SECRET
    clock.now += 1
    assert other.unseal("d1", sealed) is None


def test_each_seal_is_new_and_hides_the_secret(vault: Vault) -> None:
    one, two = _sealed(vault), _sealed(vault)
    assert one != two
    assert SECRET.encode() not in one


def test_each_hour_has_its_key_and_the_next_is_made_in_time(
    vault: Vault, clock: _Clock, folder: Folder
) -> None:
    first = _sealed(vault)
    clock.now += 3590
    vault.refresh()
    assert folder.epochs() == [Epoch(HOUR), Epoch(HOUR + 1)]
    clock.now += 20
    assert (epoch_of(first), epoch_of(_sealed(vault))) == (Epoch(HOUR), Epoch(HOUR + 1))


def test_sealing_touches_no_disk(vault: Vault, folder: Folder) -> None:
    vault.refresh()
    for path in folder.path.iterdir():
        path.unlink()
    folder.path.rmdir()
    assert epoch_of(_sealed(vault)) == Epoch(HOUR)


def test_at_an_hours_turn_it_does_not_either(vault: Vault, clock: _Clock, folder: Folder) -> None:
    """It is called where all answers are given: a disk that hangs must not be asked."""
    before = sorted(folder.path.iterdir())
    for _ in range(2):
        assert epoch_of(_sealed(vault)) == Epoch(HOUR)
        clock.now += 3600
    assert vault.seal("d1", SECRET) is None
    assert vault.trouble == "no key was made in time: passwords are not kept"
    assert sorted(folder.path.iterdir()) == before


def test_after_a_rotation_the_new_key_seals_and_the_old_one_opens(vault: Vault, folder: Folder) -> None:
    before = _sealed(vault)
    assert folder.rotate(HOUR) == Epoch(HOUR, 1)
    vault.refresh()
    assert epoch_of(_sealed(vault)) == Epoch(HOUR, 1)
    assert vault.unseal("d1", before) == SECRET


def test_a_destroyed_key_opens_nothing_for_anybody(vault: Vault, folder: Folder) -> None:
    """Neither for the process that sealed, nor for the holder of every other secret and a copy of the store."""
    sealed = _sealed(vault)
    assert folder.destroy(Epoch(HOUR), "a leak", "test")
    assert vault.unseal("d1", sealed) is None
    vault.refresh()
    assert epoch_of(_sealed(vault)) == Epoch(HOUR, 1), "a serial is never used twice"
    assert Vault(Folder(folder.path, [*WRAP, KEY]), KEY).unseal("d1", sealed) is None


def test_a_folder_that_takes_nothing_is_said_and_the_last_key_helps_out(
    vault: Vault, clock: _Clock, folder: Folder
) -> None:
    vault.refresh()
    aside = folder.path.rename(folder.path.with_name("aside"))
    folder.path.write_text("")
    clock.now += 3600
    vault.refresh()
    assert vault.trouble == "its folder cannot be used (File exists): passwords are kept until 18:00Z"
    assert epoch_of(_sealed(vault)) == Epoch(HOUR)
    clock.now += 3600
    assert vault.seal("d1", SECRET) is None
    assert vault.trouble == "its folder cannot be used (File exists): passwords are not kept"
    folder.path.unlink()
    aside.rename(folder.path)
    vault.refresh()
    assert (vault.trouble, epoch_of(_sealed(vault))) == ("", Epoch(HOUR + 2))


def test_a_folder_that_cannot_be_is_said(tmp_path: Path, clock: _Clock) -> None:
    (tmp_path / "file").write_text("")
    vault = Vault(Folder(tmp_path / "file" / "vault", WRAP), KEY, clock)
    vault.refresh()
    assert "Not a directory" in vault.trouble
    assert vault.seal("d1", SECRET) is None


def test_without_a_folder_nothing_is_kept() -> None:
    vault = Vault(None, KEY)
    assert "no [vault] folder" in vault.trouble
    assert vault.seal("d1", SECRET) is None


def test_what_an_earlier_release_sealed_opens(vault: Vault) -> None:
    derived, nonce = HKDF(SHA256(), 32, salt=None, info=b"hookledger/vault/v1").derive(KEY), b"n" * 12
    sealed = nonce + AESGCM(derived).encrypt(nonce, SECRET.encode(), b"d1")
    assert vault.unseal("d1", sealed) == SECRET
    assert vault.unseal("d2", sealed) is None
    assert epoch_of(sealed) is None

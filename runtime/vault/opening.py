"""The vault as configured."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runtime.vault.folder import Folder
from runtime.vault.vault import Vault
from settings import Settings


def open_folder(settings: Settings) -> Folder | None:
    """The folder with the keys; nothing is read or made yet."""
    if settings.vault.folder is None:
        return None
    given = [key.secret.encode() for key in settings.vault.keys]
    return Folder(settings.vault.folder, [_derived(key) for key in (*given, settings.fingerprint_key)])


def open_vault(settings: Settings) -> Vault:
    """A process's vault; without a folder it seals nothing."""
    return Vault(open_folder(settings), settings.fingerprint_key)


def _derived(secret: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"hookledger/vault/wrap/v1").derive(secret)

"""The spool as configured."""

import logging

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runtime.spool.journal import Journal
from runtime.spool.spool import Spool
from settings import Settings

log = logging.getLogger(__name__)


def keys_of(settings: Settings) -> list[bytes]:
    """The keys, the one that seals first. What was sealed under the derived key opens as long as that is derived."""
    given = [key.secret.encode() for key in settings.spool.keys]
    return [_derived(key) for key in (*given, settings.fingerprint_key)]


def open_spool(settings: Settings) -> Spool | None:
    """The spool of this process; None if there is none, or its folder cannot be used: then events are refused while
    the store is away, and the log says why."""
    if settings.spool.folder is None:
        return None
    try:
        return Spool(
            Journal(settings.spool.folder, keys_of(settings), settings.spool.max_bytes), keys_of(settings)[0]
        )
    except OSError as wrong:
        log.error(
            "spool: %s cannot be used (%s): events are refused while the store is away",
            settings.spool.folder,
            wrong.strerror,
        )
        return None


def _derived(secret: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"hookledger/spool/v1").derive(secret)

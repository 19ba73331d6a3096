"""The spool as configured."""

import asyncio
import logging
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from runtime.spool.journal import Journal
from runtime.spool.spool import Spool
from runtime.spool.unopened import Unopened
from settings import Settings

log = logging.getLogger(__name__)

AGAIN = 5.0
"""Seconds until a folder that cannot be used is tried again."""
_WHAT_TO_DO = "see to the room on its disk and to who may write there; it is tried again, without a restart"


def keys_of(settings: Settings) -> list[bytes]:
    """The keys, the one that seals first. What was sealed under the derived key opens as long as that is derived."""
    given = [key.secret.encode() for key in settings.spool.keys]
    return [_derived(key) for key in (*given, settings.fingerprint_key)]


def open_spool(settings: Settings) -> Spool | None:
    """The spool of this process, None where none is configured. If its folder cannot be used, see its `trouble`:
    `keep_open` tries again."""
    folder = settings.spool.folder
    if folder is None:
        return None
    spool = Spool(Unopened(folder), keys_of(settings)[0])
    _open(spool, settings, folder)
    return spool


async def keep_open(spool: Spool, settings: Settings) -> None:
    """Until its folder can be used."""
    while spool.trouble and (folder := settings.spool.folder) is not None:
        await asyncio.sleep(AGAIN)
        await spool.on_thread(partial(_open, spool, settings, folder))


def _open(spool: Spool, settings: Settings, folder: Path) -> None:
    try:
        spool.journal = Journal(folder, keys_of(settings), settings.spool.max_bytes)
    except (OSError, ValueError) as wrong:
        why = wrong.strerror if isinstance(wrong, OSError) else None
        trouble = f"its folder cannot be used ({why or type(wrong).__name__}): {_WHAT_TO_DO}"
        if trouble != spool.trouble:
            log.error("spool: %s: %s", folder, trouble)
        spool.trouble = trouble
        return
    if spool.trouble:
        log.warning("spool: %s can be used again", folder)
    spool.trouble = ""


def _derived(secret: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"hookledger/spool/v1").derive(secret)

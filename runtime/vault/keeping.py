"""What processes do for the vault beside their work: the next hour's key is there in time, and old ones are destroyed."""

import asyncio
import logging
from datetime import UTC, datetime

from activities._activity import SEALED_FOR
from activities._registry import registry
from runtime.vault.folder import Folder
from runtime.vault.opening import open_folder
from runtime.vault.vault import NO_FOLDER, Vault
from settings import Settings

log = logging.getLogger(__name__)

_EVERY = 5.0
"""Seconds after which an api seals under a key that an operator has rotated."""
_PATIENCE = 5.0
"""Seconds after which a disk that does not answer is said, and not waited for at a start."""


async def keep_keys(vault: Vault, every: float = _EVERY, patience: float = _PATIENCE) -> None:
    """Until cancelled, in the api. Of looks at a disk that hangs there is one, which is waited for."""
    while True:
        await asyncio.sleep(every)
        await _refresh(vault, patience)


async def begin(settings: Settings, vault: Vault, by: str, patience: float = _PATIENCE) -> None:
    """At a start: takes the hour's key, destroys what is due, and says so if an activity would miss its password."""
    needing = needing_secrets()
    if vault.trouble == NO_FOLDER:
        if needing:
            log.error("%s: passwords are not kept, and %s need them", NO_FOLDER, ", ".join(needing))
        return
    for each in (_refresh(vault, patience), destroy_due(open_folder(settings), by)):
        # What takes longer goes on by itself: hooks can be answered without it.
        await asyncio.wait({asyncio.create_task(each)}, timeout=2 * patience)


async def _refresh(vault: Vault, patience: float) -> None:
    looking = asyncio.create_task(asyncio.to_thread(vault.refresh))
    try:
        if not (await asyncio.wait({looking}, timeout=patience))[0]:
            vault.hangs()
        await looking
    finally:
        looking.cancel()


async def destroy_due(folder: Folder | None, by: str) -> str:
    """Destroys each key whose time is over. What goes wrong is said and given back, and tried again."""
    if folder is None:
        return ""
    try:
        await asyncio.to_thread(folder.destroy_due, SEALED_FOR, datetime.now(UTC), by)
    except OSError as wrong:
        log.error("vault: not all whose time is over could be destroyed (%s)", wrong.strerror)
        return wrong.strerror or type(wrong).__name__
    return ""


def needing_secrets() -> list[str]:
    """The activities that declared that they need a password."""
    return sorted(name for name, activity in registry().items() if activity.secret)

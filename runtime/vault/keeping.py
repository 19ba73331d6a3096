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


async def keep_keys(vault: Vault) -> None:
    """Until cancelled, in the api."""
    while True:
        await asyncio.sleep(_EVERY)
        await asyncio.to_thread(vault.refresh)


async def begin(settings: Settings, vault: Vault, by: str) -> None:
    """At a start: destroys what is due, takes the hour's key, and says so if an activity would miss its password."""
    needing = needing_secrets()
    if vault.trouble == NO_FOLDER:
        if needing:
            log.error("%s: passwords are not kept, and %s need them", NO_FOLDER, ", ".join(needing))
        return
    await destroy_due(open_folder(settings), by)
    await asyncio.to_thread(vault.refresh)


async def destroy_due(folder: Folder | None, by: str) -> None:
    """Destroys each key whose time is over. What goes wrong is said, and tried again."""
    if folder is None:
        return
    try:
        await asyncio.to_thread(folder.destroy_due, SEALED_FOR, datetime.now(UTC), by)
    except OSError as wrong:
        log.error("vault: not all whose time is over could be destroyed (%s)", wrong.strerror)


def needing_secrets() -> list[str]:
    """The activities that declared that they need a password."""
    return sorted(name for name, activity in registry().items() if activity.secret)

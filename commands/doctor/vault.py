"""Looks at the vault of this host: whether passwords can be kept, whether its keys are closed to others and end in time."""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from activities._activity import SEALED_FOR
from commands.doctor.findings import Check
from commands.times import duration
from commands.vault import OPEN_TO_OTHERS
from runtime.vault import Epoch, Folder, open_folder
from runtime.vault.keeping import needing_secrets
from settings import Settings

_NAME = "Vault"
_LATE = timedelta(minutes=10)


def look_at_vault(settings: Settings) -> Iterator[Check]:
    """One check; none where no activity needs a password, or the folder is another host's."""
    folder, needing = open_folder(settings), ", ".join(needing_secrets())
    if folder is None:
        if needing:
            words = f"there is none, so passwords are not kept, and {needing} end as secret_gone"
            yield Check(
                _NAME, "wrong", words, "Give [vault] a folder that api and worker share: docs/vault.md."
            )
        return
    try:
        if folder.path.is_dir():
            yield _check(folder, folder.epochs(), datetime.now(UTC))
    except OSError as wrong:
        yield Check(_NAME, "note", f"{folder.path} cannot be read here ({wrong.strerror})")


def _check(folder: Folder, epochs: list[Epoch], now: datetime) -> Check:
    words = f"{len(epochs)} keys"
    if folder.path.stat().st_mode & OPEN_TO_OTHERS:
        mode = stat.S_IMODE(folder.path.stat().st_mode)
        return Check(
            _NAME, "wrong", f"{folder.path} is open to others ({mode:04o})", f"chmod 700 {folder.path}"
        )
    if any(folder.read(epoch) is None for epoch in epochs):
        words += ", some of which do not open"
        return Check(
            _NAME, "wrong", words, "Damaged, or wrapped with a key that is not in vault.keys: docs/vault.md."
        )
    if epochs and epochs[0].due(SEALED_FOR) + _LATE < now:
        late = duration((now - epochs[0].due(SEALED_FOR)).total_seconds())
        words += f", the oldest should have been destroyed {late} ago"
        return Check(
            _NAME, "wrong", words, "The worker does that: does one run, with this folder? See its log."
        )
    if epochs:
        words += f", the next is destroyed in {duration((epochs[0].due(SEALED_FOR) - now).total_seconds())}"
    return Check(_NAME, "fine", words)

"""What the commands about sealing share: the configured keys, and checkpoints that somebody kept in files."""

from pathlib import Path

from commands.ending import stop
from ledger.note import Checkpoint, NoteError, VerifierKey, open_checkpoint, verifiers_of
from settings import Settings


def keys_of(settings: Settings) -> list[VerifierKey]:
    """The keys that verify, or the end of the command."""
    found = verifiers_of(settings.ledger.seal)
    if not found:
        stop(
            "no key is configured in [ledger.seal], or none that this process is given: docs/verify.md says how"
        )
    return found


def kept_in(file: Path, keys: list[VerifierKey]) -> Checkpoint:
    """The checkpoint in a file, or the end of the command."""
    try:
        return open_checkpoint(file.read_text(encoding="utf-8"), keys)
    except (OSError, UnicodeDecodeError) as wrong:
        stop(f"{file} cannot be read ({type(wrong).__name__})")
    except NoteError as wrong:
        stop(f"{file}: {wrong}")

"""Secrets that the embedded stack makes for itself, one file each."""

import os
import secrets
from pathlib import Path


def read_or_make(path: Path) -> tuple[str, bool]:
    """The secret in that file, 43 URL-safe characters (256 bits) made now if there is none; and whether it was made.

    The file is readable by its owner only, from its first byte on.
    """
    try:
        if text := path.read_text(encoding="ascii").strip():
            return text, False
        path.unlink()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = secrets.token_urlsafe(32)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(text + "\n")
    return text, True

"""The inputs that are kept: one line of base64 each, so that a change shows what came and what went."""

import base64
from collections.abc import Iterable
from pathlib import Path

_FOLDER = Path(__file__).parent / "corpus"


def kept(target: str) -> list[bytes]:
    """What a target was grown to."""
    lines = (_FOLDER / f"{target}.txt").read_text(encoding="ascii").split()
    return [base64.b64decode(line, validate=True) for line in lines]


def keep(target: str, inputs: Iterable[bytes]) -> None:
    """Replaces what is kept of a target."""
    lines = sorted(
        (base64.b64encode(data).decode() for data in set(inputs)), key=lambda line: (len(line), line)
    )
    (_FOLDER / f"{target}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")

"""Names the release that runs, for the ledger: a hash over the code itself, or HOOKLEDGER_VERSION."""

import hashlib
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("api", "hooks", "rules", "workflows", "activities", "ledger", "runtime")


@cache
def code_version(extra: tuple[str, ...] = ()) -> str:
    """`extra` are the names of activities that come from elsewhere."""
    given = os.environ.get("HOOKLEDGER_VERSION")
    return given or f"code:{_digest(_sources(), extra)}"


def _sources() -> Iterable[Path]:
    for package in _PACKAGES:
        yield from sorted((_ROOT / package).rglob("*.py"))


def _digest(paths: Iterable[Path], extra: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\n".join(extra).encode())
    for path in paths:
        digest.update(str(path.relative_to(_ROOT)).encode() + b"\x00" + path.read_bytes())
    return digest.hexdigest()[:12]

"""`make sbom`: writes which packages of others run in production, by version and hash, in CycloneDX's form."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WRITTEN = ROOT / "hookledger.cdx.json"


class CannotTell(Exception):
    """The list cannot be made; the text says why."""


def bill(revision: str) -> dict[str, Any]:
    """The locked packages that production installs, in CycloneDX 1.5, for that revision of ours. Raises CannotTell.

    Each file that may be installed is a reference with its SHA-256: a package has one for each kind of machine.
    """
    told = json.loads(_run(_uv(), "export", "--format=cyclonedx1.5", "--frozen", "--no-dev", "--quiet"))
    ours = told["metadata"]["component"]
    ours["type"] = "application"
    ours["properties"] = [{"name": "hookledger:git:revision", "value": revision}]
    return told


def revision() -> str:
    """The commit that is checked out, with a `+` where files differ from it; `unknown` outside of git."""
    try:
        changed = _run("git", "status", "--porcelain", "--untracked-files=no")
        return _run("git", "rev-parse", "HEAD").strip() + ("+" if changed else "")
    except CannotTell:
        return "unknown"


def _uv() -> str:
    """Where dev/environment.sh found it, or put it."""
    for place in (".venv/bootstrap/bin", ".venv/bin", None):
        if found := shutil.which("uv", path=str(ROOT / place) if place else None):
            return found
    raise CannotTell("there is no uv: make again")


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise CannotTell(f"there is no {command[0]}") from error
    except subprocess.CalledProcessError as error:
        raise CannotTell(f"{Path(command[0]).name} {command[1]}: {error.stderr.strip()}") from error
    return done.stdout


def main() -> int:
    """Exit code 2, with the reason, if it cannot be made."""
    try:
        told = bill(revision())
    except CannotTell as error:
        sys.stderr.write(f"sbom: {error}\n")
        return 2
    WRITTEN.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{WRITTEN.name}: {len(told['components'])} packages\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A copy of the tree, to write into and run in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_LEFT_OUT = shutil.ignore_patterns(".*", "docs", "bench", "simulate", "histories")


def copied_tree(directory: Path) -> Path:
    """The sources and tests, without environment, data and history."""
    return Path(shutil.copytree(ROOT, directory / "tree", ignore=_LEFT_OUT))


def in_tree(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Runs the tests' own Python there, with a wide terminal and no configuration but the tree's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLEDGER_")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=tree,
        env=inherited | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

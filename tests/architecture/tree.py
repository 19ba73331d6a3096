"""A copy of the tree to drop files into, and a look into it by a fresh interpreter."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "activities",
    "api",
    "bench",
    "chaos",
    "commands",
    "dev",
    "decisions",
    "fuzz",
    "hooks",
    "leakscan",
    "ledger",
    "migrations",
    "rules",
    "runtime",
    "settings",
    "workflows",
)


def sources(*packages: str) -> Iterator[Path]:
    """Every Python file of the packages, or of all of them and the roots' own."""
    for package in packages or PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))
    if not packages:
        yield from sorted(ROOT.glob("*.py"))


def parsed(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@dataclass(frozen=True)
class Tree:
    """A copy of the project's code."""

    root: Path

    def drop(self, path: str, text: str) -> None:
        """Puts a new file there: one that exists already would not be a new one."""
        target = self.root / path
        assert not target.exists()
        target.write_text(text, encoding="utf-8")

    def change(self, path: str, before: str, after: str) -> None:
        """Changes one place of a file."""
        target = self.root / path
        text = target.read_text(encoding="utf-8")
        assert text.count(before) == 1, f"{path} has changed: the test must follow"
        target.write_text(text.replace(before, after), encoding="utf-8")

    def look(self, code: str, **environment: str) -> Any:
        """What a script prints as JSON when it runs in the copy."""
        told = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(
            [sys.executable, "-c", code],
            cwd=self.root,
            env=told | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)


def copy(to: Path) -> Tree:
    """Copies what runs: packages and the command, without caches and data."""
    ignored = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, to / package, ignore=ignored)
    for file in ("cli.py", "pyproject.toml"):
        shutil.copy(ROOT / file, to / file)
    return Tree(to)

"""Imports go one way, and each library is known where it belongs (`.importlinter` says which)."""

import ast
import subprocess
import sys
from pathlib import Path

import workflows
from tests.architecture.tree import PACKAGES, ROOT, parsed, sources

TEMPORAL_CLIENTS = {"bench", "commands", "dev", "leakscan", "runtime"}


def test_the_contracts_hold() -> None:
    ended = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 broken" in ended.stdout
    assert "5 kept" in ended.stdout


def test_a_broken_contract_would_be_seen(tmp_path: Path) -> None:
    """The linter reads these files: one import against the stream must break it."""
    from tests.architecture.tree import copy

    tree = copy(tmp_path)
    (tmp_path / ".importlinter").write_bytes((ROOT / ".importlinter").read_bytes())
    tree.drop(
        "ledger/against_the_stream.py",
        '"""Wrong."""\n\nimport hooks\nimport jwt\n\n__all__ = ["hooks", "jwt"]\n',
    )

    ended = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "2 broken" in ended.stdout


def _imported(path: Path) -> set[str]:
    """Dotted names of what a file imports, at its top or within functions."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_temporal_s_client_is_known_where_processes_are_wired() -> None:
    """import-linter knows third parties by their first name only."""
    knowing = {
        path.relative_to(ROOT).parts[0] for path in sources() if "temporalio.client" in _imported(path)
    }

    assert "runtime" in knowing
    assert knowing <= TEMPORAL_CLIENTS


def test_nothing_imports_the_command() -> None:
    assert [path for path in sources() if "cli" in _imported(path) and path.parent != ROOT] == []


def test_workflows_are_imported_by_what_the_sandbox_lets_through() -> None:
    """Heavy modules inside a workflow's file would be loaded again for every run (DESIGN §2)."""
    for path in sources("workflows"):
        heavy = {name.partition(".")[0] for name in _imported(path)} & {
            "sqlalchemy",
            "asyncpg",
            "httpx",
            "pydantic",
            "fastapi",
            "settings",
        }
        assert not heavy, path


def test_the_packages_are_ours() -> None:
    """The names are generic because the brief asks for them: nothing installed may stand before them."""
    assert Path(workflows.__file__ or "") == ROOT / "workflows/__init__.py"
    for package in PACKAGES:
        if package != "migrations":
            module = __import__(package)
            assert Path(module.__file__ or "") == ROOT / package / "__init__.py"

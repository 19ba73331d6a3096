"""Every module says in one sentence what it is for, and stays small enough to be read."""

import ast
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, parsed, sources

LONGEST = 500
"""Lines: STYLE §3 ends there; most files are far shorter."""
ALONE = frozenset({ROOT / "ledger" / "pack" / "verify.py"})
"""Goes to auditors as one file that needs no other (docs/adr/0021)."""


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_for(path: Path) -> None:
    text = ast.get_docstring(parsed(path))

    assert text, "has no docstring"
    assert text.split("\n\n")[0].rstrip().endswith((".", ":", "?")), "does not begin with a sentence"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST or path in ALONE


def test_public_functions_of_the_ledger_and_the_hooks_say_what_they_give() -> None:
    silent = [
        f"{path.relative_to(ROOT)}:{node.name}"
        for path in sources("hooks", "ledger", "rules")
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []

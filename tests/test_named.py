"""Tests that pages name exist: what a page says is shown by a test, is; and what is skipped is told."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    page for page in (*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")) if ".py::test_" in page.read_text()
]
_SKIPS = re.compile(r"pytest\.(skip\(|mark\.skip|mark\.xfail|importorskip)")
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def _tests_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    for path, name in _NAMED.findall(page.read_text(encoding="utf-8")):
        assert (ROOT / path).is_file(), f"{page.name} names {path}"
        assert name in _tests_of(ROOT / path), f"{page.name} names {path}::{name}"


def test_each_case_has_a_test_of_its_own() -> None:
    lines = (ROOT / "docs" / "cases.md").read_text(encoding="utf-8").splitlines()
    cases = [line for line in lines if re.match(r"\| \d+ \|", line)]
    assert [int(line.split("|")[1]) for line in cases] == list(range(1, 31))
    for line in cases:
        assert _NAMED.search(line), line


def test_every_file_that_skips_is_told_of() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = [path for path in ROOT.glob("tests/**/*.py") if _SKIPS.search(path.read_text(encoding="utf-8"))]
    told = re.findall(r"`(tests/[\w/]+\.py)`", page)
    assert sorted(told) == sorted(str(path.relative_to(ROOT)) for path in paths)

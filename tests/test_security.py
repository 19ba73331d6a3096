"""SECURITY.md names tests that exist, and thinks of every kind of threat on every arrow."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
MODEL = TEXT.partition("\n## Threat model\n")[2].partition("\n## ")[0]
ARROWS = {
    title: [
        [cell.strip() for cell in row.strip("|").split("|")]
        for row in body.splitlines()
        if row.startswith("| ")
    ]
    for title, _, body in (section.partition("\n") for section in MODEL.split("\n### ")[1:])
}
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_WANTED = (
    "Platform → api",
    "Api → Postgres",
    "Api → answer",
    "Api → Temporal (the ring)",
    "Temporal → worker (UserLifecycle)",
    "Take: Postgres → worker",
    "Worker → outside (activities)",
    "Api → spool",
    "Api, worker ↔ vault",
    "Operators → query API, console, command",
    "Worker → holder of checkpoints",
    "Supply → what runs",
)


def _tests(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {function.name for function in functions if function.name.startswith("test_")}


def test_every_arrow_is_there() -> None:
    assert tuple(ARROWS) == _WANTED


@pytest.mark.parametrize("arrow", _WANTED)
def test_no_kind_of_threat_is_left_out(arrow: str) -> None:
    rows = [row for row in ARROWS[arrow] if len(row[0]) == 1]
    assert "".join(dict.fromkeys(row[0] for row in rows)) == "STRIDE"
    for _, threat, stops, shown, remains in rows:
        assert threat
        assert stops
        if shown.startswith("none: "):
            assert len(shown) > 10
        else:
            assert _NAMED.sub("", shown).strip(", ") == "", f"{threat} is shown by no test: {shown}"
        assert "`tests/" not in remains


@pytest.mark.parametrize("path", sorted({path for path, _ in _NAMED.findall(TEXT)}))
def test_the_tests_it_names_exist(path: str) -> None:
    assert (ROOT / path).is_file()
    assert {name for named, name in _NAMED.findall(TEXT) if named == path} <= _tests(path)

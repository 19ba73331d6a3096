"""What docs name exists: each command, and each option of it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer

from cli import app

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"]
DEEDS = {"key made", "key revoked", "rules loaded", "vault keys destroyed", "vault key rotated"}
"""Names of deeds, which read like commands."""
COMMANDS: Any = typer.main.get_command(app)


def _commands(of: Any) -> Mapping[str, Any]:
    return getattr(of, "commands", {})


def _named(page: Path) -> Iterator[list[str]]:
    """The words of each command of ours, in backticks or on a line of a shell."""
    text = page.read_text()
    for quoted in re.findall(r"`([^`\n]+)`", text):
        words = quoted.removeprefix("./hookledger ").split()
        if words[0] in _commands(COMMANDS) and quoted not in DEEDS:
            yield words
    for line in re.findall(r"^(?:\$ )?\./hookledger ([^#|>\n]+)", text, re.MULTILINE):
        yield line.split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_is_there(page: Path) -> None:
    for words in _named(page):
        command, rest = COMMANDS, list(words)
        while _commands(command) and rest and not rest[0].startswith("-"):
            assert rest[0] in _commands(command), f"{page.name} names {' '.join(words)}"
            command = _commands(command)[rest.pop(0)]
        if command.context_settings.get("ignore_unknown_options"):  # it hands them on
            continue
        options = {option for p in command.params for option in (*p.opts, *p.secondary_opts)} | {"--help"}
        for word in rest:
            option = word.strip("[]").partition("=")[0]
            assert not option.startswith("--") or option in options, f"{page.name} names {' '.join(words)}"


def test_the_page_of_evidence_names_many() -> None:
    assert len({" ".join(words[:2]) for words in _named(ROOT / "docs" / "ask.md")}) > 8

"""Mistakes in a configuration as a person would like to see them: the line, the place in it, the words."""

import re
from collections.abc import Iterator, Sequence
from typing import NoReturn

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from commands.ending import stop
from settings import ConfigError
from settings.places import Placed

_WORD = re.compile(r"\w+|[!=<>&|]+")
_CALLED = re.compile(r"\w+$")
_LEAST = 40
"""Columns of a line that are shown in the narrowest terminal."""


def refuse(wrong: ConfigError) -> NoReturn:
    """Shows every mistake on standard error, and leaves with exit code 2. Plain lines where no person reads."""
    err = Console(stderr=True, highlight=False, emoji=False)
    if not err.is_terminal or not wrong.placed:
        stop(str(wrong))
    for text in drawn(wrong.placed, err.width):
        err.print(text, soft_wrap=False)
    raise typer.Exit(2) from None


def drawn(placed: Sequence[Placed], width: int) -> Iterator[Text]:
    """Each mistake with its line and a caret, then how many there are."""
    margin = max(len(str(p.line)) for p in placed) + 2
    for mistake in placed:
        yield _one(mistake, margin, width)
    files = sorted({str(p.file) for p in placed})
    count = f"{len(placed)} {'mistake' if len(placed) == 1 else 'mistakes'}"
    yield Text.assemble((count, "bold red"), f" in {', '.join(files)}; nothing was started or changed")


def _one(mistake: Placed, margin: int, width: int) -> Text:
    start, length = _underlined(mistake)
    line, start = _window(_plain(mistake.source), start, max(width - margin - 3, _LEAST))
    column = "" if mistake.column is None else f":{mistake.column}"
    text = Text.assemble(
        (f"{mistake.file}:{mistake.line}{column}", "bold cyan"), (f"  {mistake.where}\n", "dim")
    )
    bar = " " * margin + "│ "
    if line.strip():
        text.append(f"{mistake.line:>{margin - 1}} │ ", "blue")
        text.append(line + "\n")
        text.append(bar, "blue")
        text.append(
            " " * cell_len(line[:start]) + "^" * max(cell_len(line[start : start + length]), 1) + "\n",
            "bold red",
        )
    for words in _folded(mistake.words, max(width - margin - 2, _LEAST)):
        text.append(bar, "blue")
        text.append(words + "\n", "yellow")
    return text


def _underlined(mistake: Placed) -> tuple[int, int]:
    """Where in the line, from 0, and how many characters: the word at the column, else the key, else all of it."""
    source = mistake.source
    if mistake.column is not None:
        start = mistake.column - 1
        if source[start : start + 1] == "(" and (called := _CALLED.search(source[:start])):
            return called.start(), len(called[0])
        word = _WORD.match(source, start)
        return start, len(word[0]) if word else 1
    key = mistake.where.rpartition(".")[2].partition("[")[0]
    if key and (found := re.search(rf"(?<![\w-]){re.escape(key)}(?=[\s\"']*=)", source)):
        return found.start(), len(key)
    plain = source.strip()
    return source.find(plain), len(plain) or 1


def _window(line: str, start: int, width: int) -> tuple[str, int]:
    """The part of a long line around the place, and where the place is in it."""
    if cell_len(line) <= width:
        return line, start
    left = max(min(start - width // 3, len(line) - width), 0)
    part = line[left : left + width]
    if left:
        part = "…" + part[1:]
    if left + width < len(line):
        part = part[:-1] + "…"
    return part, start - left


def _plain(line: str) -> str:
    """Nothing that could steer a terminal; a tab is one blank, so that places stay true."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in line)


def _folded(words: str, width: int) -> Iterator[str]:
    line = ""
    for word in words.split():
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line

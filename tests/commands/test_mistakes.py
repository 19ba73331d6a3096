"""Mistakes as they are drawn: the line, a caret under the place, and never a secret."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from commands.mistakes import drawn
from settings.places import Placed
from tests.commands.copied import ROOT

_RULES = """\
[[validate]]
name = "blocked-domain"
refuse = 'user.emial.endswith("@blocked.example")'
code = "Email blocked"

[[validate]]
name = "dates"
refuse = '''
  has(user.endDate) &&
\tuser.endDate != null
'''
code = "Dates"

[[validate]]
name = "domain"
refuse = 'user.email.endswith("@blocked.example")'
code = "EmailDomainBlocked"
"""
_CONFIGURATION = """\
fingerprint_key = "%s"
[store]
url = { env = "HOOKLEDGER_TEST_NOT_SET" }
[tenants.as100]
regoin = "IN"
[tenants.as100.token]
keys = [{ secret = "%s" }]
[tenants.as100.deprovision]
answer = "rules"
[tenants.as100.rules]
include = ["rules.toml"]
"""
_SECRET = "s3cr3t-" * 8


def _on_a_terminal(directory: Path, *command: str) -> tuple[int, str]:
    """Runs ./hookledger with a terminal as standard error; gives exit code and what it showed."""
    ours, theirs = pty.openpty()
    env = os.environ | {"HOOKLEDGER_CONFIG": "hookledger.toml", "COLUMNS": "90", "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *command],
        cwd=directory, env=env | {"PYTHONPATH": str(ROOT)}, stderr=theirs, stdout=subprocess.PIPE, timeout=60, check=False,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return done.returncode, shown.decode().replace("\r\n", "\n")


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    """A directory with a configuration full of mistakes."""
    (tmp_path / "hookledger.toml").write_text(_CONFIGURATION % (_SECRET, _SECRET))
    (tmp_path / "rules.toml").write_text(_RULES)
    return tmp_path


def test_on_a_terminal_each_mistake_has_its_line_and_a_caret(wrong: Path) -> None:
    code, shown = _on_a_terminal(wrong, "config", "check")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)

    assert code == 2
    assert "\x1b[1;31m" in shown
    for lines in (
        " 16 │ refuse = 'user.email.endswith(\"@blocked.example\")'\n    │                      ^^^^^^^^\n",
        "    │ endswith is not known here, or not with these arguments; did you mean endsWith?\n",
        " 10 │  user.endDate != null\n    │               ^^\n    │ null never comes here",
        '  4 │ code = "Email blocked"\n    │ ^^^^\n    │ must be one CamelCase word',
        "  5 │ regoin = …\n    │ ^^^^^^\n    │ unknown key; did you mean region?\n",
    ):
        assert lines in plain, plain
    assert "rules.toml:16:30  tenants.as100.rules.validate[2].refuse\n" in plain
    assert plain.endswith("mistakes in hookledger.toml, rules.toml; nothing was started or changed\n")
    assert "s3cr3t" not in shown


def test_elsewhere_a_mistake_is_one_plain_line(wrong: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "config", "check"],
        cwd=wrong, env=os.environ | {"PYTHONPATH": str(ROOT), "HOOKLEDGER_CONFIG": "hookledger.toml"}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "rules.toml:4: tenants.as100.rules.validate[0].code: must be one CamelCase word" in done.stderr
    assert "\x1b" not in done.stderr
    assert "│" not in done.stderr
    assert "s3cr3t" not in done.stderr


def test_a_file_that_is_no_toml_shows_the_place_but_no_value(tmp_path: Path) -> None:
    (tmp_path / "hookledger.toml").write_text(f'[tenants.as100.token]\nsecret = "{_SECRET}" x\n')

    code, shown = _on_a_terminal(tmp_path, "config", "check")

    assert code == 2
    assert "secret = …" in shown
    assert "not valid TOML here" in shown
    assert "s3cr3t" not in shown


def test_a_long_line_is_cut_around_the_place() -> None:
    source = f"refuse = '{'x' * 200} && user.emial {'y' * 200}'"
    column = source.index("emial") + 1
    [text, _] = drawn([Placed(Path("r.toml"), 3, column, "w", "words " * 30, source)], 80)

    lines = text.plain.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[1][lines[2].index("^") :].startswith("emial")
    assert lines[2].count("^") == len("emial")


def test_nothing_in_a_line_steers_the_terminal() -> None:
    [text, _] = drawn([Placed(Path("r.toml"), 1, 3, "w", "wrong", "a\tb\x1b[2Jc")], 80)

    assert "\x1b" not in text.plain
    assert "\t" not in text.plain

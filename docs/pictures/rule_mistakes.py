"""Makes rule-mistakes.png: runs `./hookledger config check` on a terminal, and takes a picture of what it shows.

    PYTHONPATH=. .venv/bin/python docs/pictures/rule_mistakes.py      (then reduce it to 96 colours)
"""

import io
import os
import pty
import subprocess
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent.parent
COLUMNS = 100

CONFIGURATION = """\
fingerprint_key = { file = "key" }
[store]
url = { file = "key.url" }
[tenants.as100.token]
keys = [{ secret = { file = "key" } }]
[tenants.as100.deprovision]
answer = "rules"
[tenants.as100.rules]
include = ["rules/joiners.toml"]
"""
RULES = """\
attributes = ["badge"]

[tables]
ou = { rows = { Finance = "OU=Finance,DC=example", Sales = "OU=Sales,DC=example" } }

[[validate]]
name = "contractor-end-date"
when = 'user.userTyp == "Contractor"'
required = ["endDate"]
code = "EndDateRequired"

[[validate]]
name = "blocked-domain"
refuse = 'user.email.endswith("@blocked.example")'
code = "EmailDomainBlocked"

[[validate]]
name = "leaves-before-joining"
refuse = '''
  parse_date(user.endDate) < parse_date(user.startDate) &&
  user.status != null
'''
code = "EndBeforeStart"

[[policy_map]]
name = "ou"
target = "OU"
value = 'lookup("ous", user.department)'

[[deprovision]]
name = "leavers"
remov = 'user.status == "DELETE"'
"""


def shown(directory: Path) -> str:
    """What the command shows on a terminal."""
    (directory / "rules").mkdir()
    (directory / "hookledger.toml").write_text(CONFIGURATION)
    (directory / "rules" / "joiners.toml").write_text(RULES)
    (directory / "key").write_text("only an example, long enough, " * 3)
    (directory / "key.url").write_text("postgresql://localhost/hookledger")
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "HOOKLEDGER_CONFIG": ""}
    subprocess.run([ROOT / "hookledger", "config", "check"], cwd=directory, stderr=theirs, env=environment, check=False)
    os.close(theirs)
    found = b""
    try:
        while part := os.read(ours, 65536):
            found += part
    except OSError:
        pass  # how a terminal says that nobody writes to it any more
    return found.decode().replace("\r\n", "\n")


def main() -> None:
    """Draws the picture beside this file."""
    with tempfile.TemporaryDirectory() as directory:
        text = shown(Path(directory))
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(text))
    svg = console.export_svg(title="./hookledger config check", theme=MONOKAI)
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--headless", "--no-sandbox", "--disable-background-networking", "--disable-gpu"],
        )
        page = browser.new_page(viewport={"width": 980, "height": 700})
        page.set_content(
            f"<style>body{{margin:0}}svg{{width:980px;height:auto;display:block}}"
            f"svg text{{font-family:'DejaVu Sans Mono',monospace!important}}</style>{svg}"
        )
        page.locator("svg").first.screenshot(path=Path(__file__).with_name("rule-mistakes.png"))
        browser.close()


if __name__ == "__main__":
    main()

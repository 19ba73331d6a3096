"""What `make dev` shows: a short screen for people, or one line of JSON per event."""

import json
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dev.relay import Line


@dataclass(frozen=True)
class Ready:
    """Addresses of a stack that is up. `seconds` since the command; `curl` in lines."""

    webhooks: str
    openapi: str
    ledger: str
    console: str
    temporal_ui: str
    metrics: dict[str, str]
    """Of each process that tells how it is doing."""
    data: str
    curl: tuple[str, ...]
    simulate: str
    key: str
    seconds: float


class Screen:
    """Speaks to a terminal; `as_json` to a collector."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = Console(highlight=False)

    def busy(self, text: str) -> AbstractContextManager[object]:
        """While something is under way."""
        return nullcontext() if self._as_json else self._console.status(text)

    def say(self, text: str) -> None:
        self._show("stack", "info", text, Text(text))

    def fail(self, text: str) -> None:
        """Why it cannot start or go on."""
        if self._as_json:
            self._line({"from": "stack", "level": "error", "message": text})
        else:
            Console(stderr=True, highlight=False).print(Text(text, "red"), soft_wrap=True)

    def report(self, part: str, text: str) -> None:
        """Something happened to a part of the stack."""
        self._show(part, "warning", text, Text.assemble((part, "bold yellow"), " ", text))

    def relay(self, line: Line) -> None:
        colour = "yellow" if line.level == "warning" else "red"
        self._show(
            line.part, line.level, line.text, Text.assemble((line.part, f"bold {colour}"), " ", line.text)
        )

    def ready(self, ready: Ready) -> None:
        if self._as_json:
            self._line({"from": "stack", "level": "info", "message": "ready", **asdict(ready)})
            return
        rows = Table.grid(padding=(0, 3))
        for name, value in (
            ("Webhooks", ready.webhooks),
            ("OpenAPI", ready.openapi),
            ("Ledger API", ready.ledger),
            ("Console", ready.console),
            ("Temporal UI", ready.temporal_ui),
            *((f"Metrics, {name}", address) for name, address in ready.metrics.items()),
            ("Data and logs", ready.data),
        ):
            rows.add_row(Text(name, "bold"), Text(value, "cyan", overflow="fold"))
        console = self._console
        console.print(
            Text.assemble("\n", ("Hookledger is ready", "bold green"), f"  {ready.seconds:.1f} s\n")
        )
        console.print(Padding(rows, (0, 0, 0, 2), expand=False))
        console.print(Text("\nSend a hook, then look at it in the Temporal UI:\n"))
        # Not folded: it must survive copy and paste.
        for line in ready.curl:
            console.print(Text(line), soft_wrap=True)
        console.print(Text.assemble("\nPlay a whole company:  ", (ready.simulate, "cyan")), soft_wrap=True)
        console.print(Text.assemble("A key to sign in with: ", (ready.key, "cyan")), soft_wrap=True)
        console.print(Text("Ctrl-C drains and stops everything; the data stays.\n"))

    def _show(self, part: str, level: str, text: str, shown: Text) -> None:
        # The terminal may be gone already, and everything must be stopped all the same.
        with suppress(OSError):
            if self._as_json:
                self._line({"from": part, "level": level, "message": text})
            else:
                self._console.print(shown, soft_wrap=True)

    def _line(self, entry: dict[str, object]) -> None:
        sys.stdout.write(json.dumps({"at": datetime.now(UTC).isoformat(), **entry}) + "\n")
        sys.stdout.flush()

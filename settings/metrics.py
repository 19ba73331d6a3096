"""Where a process tells how it is doing: `[metrics]` (docs/observe.md)."""

import os
from typing import Annotated, Literal

from pydantic import Field

from settings.table import Table

Port = Annotated[int, Field(ge=0, le=65_535)]
Process = Literal["api", "query", "worker"]

_OVERRIDE = "HOOKLEDGER_METRICS_PORT"


class Metrics(Table):
    """One port per kind of process, 0 for none; `temporal` is for the worker's Temporal SDK.

    $HOOKLEDGER_METRICS_PORT goes before them: of several processes of a kind on one host, each needs its own.
    `every` is how often the store is asked for figures, in seconds.
    """

    host: str = "127.0.0.1"
    api: Port = 0
    query: Port = 0
    worker: Port = 0
    temporal: Port = 0
    every: Annotated[float, Field(ge=1, le=300)] = 5.0

    def port(self, process: Process) -> int:
        """Where that process listens; 0 for nowhere."""
        told = os.environ.get(_OVERRIDE, "")
        if told.isascii() and told.isdigit() and int(told) <= 65_535:
            return int(told)
        return {"api": self.api, "query": self.query, "worker": self.worker}[process]

    def addresses(self) -> dict[str, str]:
        """Where all that have a port are asked."""
        ports = {"api": self.api, "query": self.query, "worker": self.worker, "temporal": self.temporal}
        return {name: f"http://{self.host}:{port}/metrics" for name, port in ports.items() if port}

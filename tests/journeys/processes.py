"""Real processes of ours on servers of the test's own: started, killed, started again."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
from temporalio.client import Client

from dev import temporal
from dev.processes import free_port
from dev.temporal import TemporalServer
from ledger.engine import Pool, open_pool
from runtime.attributes import SEARCH_ATTRIBUTES
from settings import Settings, Store
from tests.support import Servers, write_configuration

ROOT = Path(__file__).parents[2]
_SWEEP = "[sweep]\ninterval = 0.5\nunrung = 1.0\nquiet = 4.0\n"


@dataclass
class Journey:
    """One stack: a Temporal with its data in a file, api and worker; `home` holds configuration and logs."""

    home: Path
    settings: Settings
    store: Store
    server: TemporalServer
    port: int
    activities: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, subprocess.Popen[bytes]])

    @classmethod
    def begin(cls, home: Path, store: Store, activities: str = "") -> Self:
        """Starts Temporal; api and worker are started by name."""
        settings = write_configuration(home, store, _SWEEP)
        server = temporal.start(home / "t", search_attributes=SEARCH_ATTRIBUTES, gives_way=False)
        return cls(home, settings, store, server, free_port(), activities)

    @property
    def url(self) -> str:
        """Where the webhooks are."""
        return f"http://127.0.0.1:{self.port}/webhook"

    def start(self, name: str) -> None:
        """Starts `api` or `worker`."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOOKLEDGER_CONFIG": str(self.home / "hookledger.toml"),
            "TEMPORAL_ADDRESS": self.server.address,
            "HOOKLEDGER_ACTIVITIES": self.activities,
            "PYTHONPATH": str(self.home),
        }
        options = ["--port", str(self.port)] if name == "api" else []
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, str(ROOT / "cli.py"), name, *options],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )

    def end(self, name: str, number: signal.Signals) -> int:
        """Signals the process and waits for its end; gives its exit code."""
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(40)

    def stop(self) -> None:
        """Ends what was started."""
        for process in self.processes.values():
            process.kill()
            process.wait(10)
        self.server.stop()

    async def ready(self) -> None:
        """Waits until the api takes hooks."""
        url = f"http://127.0.0.1:{self.port}/health/ready"
        async with httpx.AsyncClient() as client:
            for _ in range(200):
                try:
                    if (await client.get(url)).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)
        raise AssertionError("the api did not become ready")

    async def client(self) -> Client:
        """A client of this journey's Temporal."""
        return await Client.connect(self.server.address)


async def until_settled(pool: Pool, within: float) -> None:
    """Waits until no work is unsettled."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if await pool.fetchval("SELECT count(*) FROM work WHERE settled_at IS NULL") == 0:
            return
        await asyncio.sleep(0.3)
    raise AssertionError("work is still unsettled")


async def own_store(servers: Servers) -> tuple[Store, Pool]:
    """A migrated database of the journey's own, and a pool on it."""
    name = f"journey_{uuid.uuid4().hex[:10]}"
    root = await open_pool(
        Store(url=servers.url("postgres", "postgres"), pool_size=1, statement_timeout=30), "journey"
    )
    await root.execute(f'CREATE DATABASE "{name}" OWNER hookledger_owner TEMPLATE hookledger_template')
    await root.close()
    store = Store(
        url=servers.url("hookledger_app", name),
        owner_url=servers.url("hookledger_owner", name),
        statement_timeout=10,
    )
    return store, await open_pool(store, "journey")

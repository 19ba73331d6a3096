"""A store of each test's own, and a way to run commands as a user would."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import app
from settings import Settings, Store
from tests.commands.databases import database
from tests.conftest import TEMPLATE
from tests.support import Servers

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
async def store(servers: Servers) -> AsyncGenerator[Store]:
    """A migrated, empty database: what these commands say depends on everything in it."""
    async with database(servers, TEMPLATE) as store:
        yield store


@pytest.fixture
def run(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `./hookledger …` with the test's configuration, in a thread: commands have loops of their own."""
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(tmp_path / "hookledger.toml"))
    monkeypatch.setenv("COLUMNS", "200")

    async def command(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))

    return command

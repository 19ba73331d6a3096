"""`key list`: a line for each key there is, by kind; of a tenant only its own; never a value."""

import json
from pathlib import Path

import pytest

from runtime.vault import open_folder
from settings import Settings, Store
from tests.commands.conftest import Run
from tests.support import write_configuration


@pytest.fixture
def settings(store: Store, tmp_path: Path) -> Settings:
    return write_configuration(tmp_path, store, '[spool]\nfolder = "spool"\n[vault]\nfolder = "vault"')


async def test_every_key_has_a_line(
    run: Run, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "hunter2-fake")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter2-fake")
    folder = open_folder(settings)
    assert folder is not None
    epoch, _ = folder.take(490_000)
    made = await run("key", "new", "--label", "SIEM", "--reason", "r", "--role", "auditor", "--all-tenants")

    listed = await run("key", "list", "--json")

    assert listed.exit_code == 0, listed.output
    lines = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {line["kind"] for line in lines} == {
        "fingerprint", "store", "webhook", "derived", "spool", "vault wrapping", "vault", "temporal",
        "collector", "api",
    }  # fmt: skip
    for line in lines:
        assert line["kind"] == "api" or (line["owner"] and line["rotate"] and line["lost"]), line
    [webhook] = [line for line in lines if line["kind"] == "webhook"]
    assert (webhook["tenant"], webhook["source"], webhook["there"]) == ("as100", "file webhook.key", True)
    assert webhook["since"] is not None
    [keeper] = [line for line in lines if line.get("name") == "store.keeper_url"]
    assert keeper["there"] is False, "it is not given to this process"
    [collector] = [line for line in lines if line["kind"] == "collector"]
    assert collector["source"] == "env OTEL_EXPORTER_OTLP_HEADERS"
    [vault] = [line for line in lines if line["kind"] == "vault"]
    assert epoch.name in vault["name"]

    shown = await run("key", "list")
    for text in ("docs/keys.md#webhook", "./hookledger vault rotate", "SIEM", "not given here"):
        assert text in shown.stdout
    secrets = [(tmp_path / name).read_text() for name in ("webhook.key", "fingerprint.key", "store.url")]
    for value in (*secrets, "hunter2-fake", made.stdout.strip()):
        assert value not in shown.output + listed.output


async def test_of_a_tenant_its_own(run: Run) -> None:
    lines = [
        json.loads(line)
        for line in (await run("key", "list", "--tenant", "as100", "--json")).stdout.splitlines()
    ]
    assert [(line["kind"], line["tenant"]) for line in lines] == [("webhook", "as100")]


async def test_without_the_store_the_others_are_still_listed(
    run: Run, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "store.url").write_text("postgresql://nobody@127.0.0.1:1/nothing")
    listed = await run("key", "list")
    assert listed.exit_code == 2
    assert "webhook" in listed.stdout

"""The doctor: what it says on the first day and on a bad one, and that it always ends."""

import asyncio
import json
import re
import time
import uuid
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from temporalio.client import Client

from api.refusals import Refused
from commands.doctor.servers import look_at_given, look_at_listener, look_at_temporal
from dev.processes import free_port
from ledger.engine import Pool
from ledger.receive import receive
from ledger.refusals import write_refusals
from runtime.seeing.listener import Listener
from runtime.worker import assemble
from settings import Settings, Store, Tls
from settings.metrics import Metrics
from tests.commands.conftest import Run
from tests.commands.databases import database
from tests.commands.keeping_nothing import NOT_GRANTED, READ_ONLY, close
from tests.commands.stored import planned, probe
from tests.support import Servers, delivery, write_configuration

SCREEN = "Configurations > General Config > Webhooks Configuration"


@pytest.fixture
async def worker(settings: Settings, client: Client) -> AsyncGenerator[None]:
    """A worker that polls the test's task queue, and that the server has seen."""
    async with assemble(settings, client) as parts, parts.worker:
        for _ in range(100):
            if (await look_at_temporal(settings))[-1].state == "fine":
                break
            await asyncio.sleep(0.05)
        yield


def _refused(
    tenant: str = "as100", reason: str = "bad_signature", words: str = "", ago: float = 0
) -> Refused:
    at = datetime.now(UTC) - timedelta(seconds=ago)
    return Refused(tenant, at, "test", 401, reason, words or f"Words about {reason}.", uuid.uuid4())


async def _report(run: Run, code: int) -> dict[str, Any]:
    result = await run("doctor", "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def _states(report: dict[str, Any]) -> dict[str, str]:
    checks = [*report["checks"], *report["tenants"][0]["checks"]]
    return {check["name"]: check["state"] for check in checks}


@pytest.mark.usefixtures("worker")
async def test_the_first_day_tells_what_to_enter_where(run: Run, tmp_path: Path) -> None:
    result = await run("doctor")

    assert result.exit_code == 0, result.output
    for words in (SCREEN, "Save & test", "Server", "127.0.0.1:8080", "Token expiry minutes", "current (raw)"):
        assert words in result.stdout
    assert re.search(r"Service context path +webhook ", result.stdout)
    for secret in ("webhook.key", "fingerprint.key", "store.url"):
        assert (tmp_path / secret).read_text() not in result.output
    report = await _report(run, 0)
    assert _states(report) == {
        "Store": "fine",
        "Sealing": "note",
        "Months": "fine",
        "Spool": "note",
        "Temporal": "fine",
        "Worker": "fine",
        "Listener": "note",
        "TLS": "note",
        "Query": "note",
        "Keys": "fine",
        "Calls": "note",
        "Work": "fine",
        "Brake": "fine",
    }
    assert "postCreateUser" in report["tenants"][0]["never_seen"]


@pytest.mark.usefixtures("client")
async def test_no_worker_is_wrong(run: Run) -> None:
    assert _states(await _report(run, 1))["Worker"] == "wrong"


@pytest.mark.usefixtures("worker")
async def test_a_call_turned_away_is_wrong_until_one_is_let_in(run: Run, pool: Pool) -> None:
    hint = 'Key current would verify with the base64-decoded secret: set its encoding = "base64".'
    await write_refusals(pool, [_refused(words=hint, ago=5), _refused(words=hint)])

    screen = await run("doctor")
    assert screen.exit_code == 1
    assert hint in screen.stdout
    assert "(and 1 more like it)" in screen.stdout
    assert "tenants.as100.token.keys" in screen.stdout

    await receive(pool, probe())
    report = await _report(run, 0)
    tenant = report["tenants"][0]
    assert _states(report)["Calls"] == "fine"
    assert [r["words"] for r in tenant["standing"]["refusals"]] == [hint, hint]
    assert "Create or change a user" in tenant["next"][0]["text"]


@pytest.mark.usefixtures("worker")
async def test_strangers_matter_only_while_nobody_was_let_in(run: Run, pool: Pool) -> None:
    await write_refusals(pool, [_refused("?", "wrong_tenant", "tenantId as101 is not configured.")])

    before = await _report(run, 1)
    assert _states(before)["Strangers"] == "wrong"
    assert "tenantId as101" in next(c["words"] for c in before["checks"] if c["name"] == "Strangers")

    await receive(pool, probe())
    assert _states(await _report(run, 0))["Strangers"] == "note"


@pytest.mark.usefixtures("worker")
async def test_hooks_seen_lead_to_the_switches_that_are_still_off(run: Run, pool: Pool) -> None:
    await receive(pool, delivery("asha", "postCreateUser"))
    await receive(pool, delivery("asha", "policyMap"))

    tenant = (await _report(run, 0))["tenants"][0]

    assert {name: seen["count"] for name, seen in tenant["standing"]["hooks"].items()} == {
        "policyMap": 1,
        "postCreateUser": 1,
    }
    words = " ".join(step["text"] for step in tenant["next"])
    assert "PRE HOOK and POST HOOK" in words
    assert "Hook Rule" in words
    assert "policyMap" not in words


@pytest.mark.usefixtures("worker")
async def test_the_brake_and_late_work_are_wrong(run: Run, pool: Pool) -> None:
    await pool.execute("INSERT INTO brakes (tenant, stopped_at) VALUES ('as100', now())")
    late = replace(planned(), delay=timedelta(hours=-2))
    await receive(pool, delivery("asha", "postCreateUser", work=[late]))

    report = await _report(run, 1)

    assert (_states(report)["Brake"], _states(report)["Work"]) == ("wrong", "wrong")
    assert "brake release --tenant as100" in report["tenants"][0]["next"][0]["text"]
    assert report["tenants"][0]["standing"]["work"]["open"] == 1


@pytest.mark.usefixtures("worker")
async def test_an_incident_is_wrong_and_says_where_to_look(run: Run, pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO incidents (id, tenant, activity, cause, first_seen, last_seen, opened_at) VALUES"
        " (gen_random_uuid(), 'as100', 'mail', 'Unavailable:SMTP', now() - interval '5 minutes', now(), now()),"
        " (gen_random_uuid(), 'as200', 'badge', 'Unavailable', now(), now(), now())"
    )

    report = await _report(run, 1)

    [found] = [check for check in report["tenants"][0]["checks"] if check["name"] == "Incident"]
    assert found["state"] == "wrong"
    assert "mail fails for many since 5 min" in found["words"]
    assert found["remedy"].startswith("./hookledger incidents show ")


async def test_everything_down_is_said_in_bounded_time(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql://nobody:pass-word@127.0.0.1:{free_port()}/none"
    write_configuration(tmp_path, Store(url=url, owner_url=url))
    monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")

    began = time.monotonic()
    result = await run("doctor")

    assert time.monotonic() - began < 12
    assert result.exit_code == 1
    for words in ("the store does not answer", "Temporal", "make dev runs one", "current (raw)"):
        assert words in result.stdout
    assert "pass-word" not in result.output


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    ("how", "words"), [(READ_ONLY, "the store is read-only"), (NOT_GRANTED, "the store does not grant")]
)
async def test_a_store_that_keeps_nothing_is_wrong_and_what_it_holds_is_told_all_the_same(
    run: Run, store: Store, pool: Pool, how: str, words: str
) -> None:
    await receive(pool, probe())
    await close(store, how)

    report = await _report(run, 1)

    [check] = [check for check in report["checks"] if check["name"] == "Store"]
    assert (check["state"], check["words"].startswith(words)) == ("wrong", True)
    assert "primary" in check["remedy"]
    assert report["tenants"][0]["standing"]["hooks"]["test"]["count"] == 1


@pytest.mark.usefixtures("client")
async def test_an_unmigrated_store_is_told_from_a_lost_one(
    run: Run, servers: Servers, tmp_path: Path
) -> None:
    async with database(servers, "template0") as empty:
        write_configuration(tmp_path, empty)
        result = await run("doctor")
        others = await run("failures")

    assert (result.exit_code, others.exit_code) == (1, 2)
    assert "Run ./hookledger migrate." in result.stdout
    assert others.stderr == "the store is not migrated: run ./hookledger migrate\n"


async def test_a_listener_that_asks_for_certificates_is_asked_at_its_metrics(
    settings: Settings, tmp_path: Path
) -> None:
    tls = Tls(certificate=tmp_path / "a.pem", key=tmp_path / "a.key", client_ca=tmp_path / "ca.pem")
    seen = Listener("127.0.0.1", 0, CollectorRegistry(), {}, {})
    try:
        api = settings.api.model_copy(update={"tls": tls, "port": free_port()})
        locked = settings.model_copy(update={"api": api, "metrics": Metrics(api=seen.port)})
        check = await look_at_listener(locked)
    finally:
        seen.close()

    assert (check.state, check.words) == ("fine", f"answers at https://127.0.0.1:{api.port}/webhook/<hook>")
    [first, *_] = given = look_at_given(locked)
    assert len(given) == 3
    assert (first.state, first.remedy) == ("note", "Only api needs it: give it to that one.")
    assert look_at_given(settings) == []

"""`ledger erase`, `ledger certificate`, `ledger hold` as a user runs them."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import app
from settings import Store
from tests.erasing import LOGIN, World, fill, of_store
from tests.support import Servers, rows

Run = Callable[..., Awaitable[Result]]
_WHY = ("--reason", "asked by letter", "--actor", "dpo")


@pytest.fixture
async def place(
    servers: Servers, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[World]:
    """A store with the person in it, and the configuration that the commands read."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", servers.temporal)
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(tmp_path / "hookledger.toml"))
    monkeypatch.setenv("COLUMNS", "200")
    async with of_store(servers, store, tmp_path) as made:
        await fill(made)
        yield made


async def _top(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


async def _run(*arguments: str) -> Result:
    return await _top("ledger", *arguments)


async def test_it_shows_then_erases_then_the_certificate_is_held_against_the_name(place: World) -> None:
    subject = await place.subject()
    shown = await _run("erase", LOGIN, *_WHY)
    assert (shown.exit_code, "Nothing was erased yet: --yes does it" in shown.output) == (0, True), (
        shown.output
    )
    assert re.search(r"\n *\d+ +bodies, with salts and what answers set *\n", shown.output)
    assert await place.tables_that_name_them() != set()

    done = await _run("erase", LOGIN, *_WHY, "--yes")
    assert done.exit_code == 0, done.output
    assert "line 1 of the list outside the store" in done.output
    assert await place.tables_that_name_them() == set()
    [id_] = re.findall(r"certificate ([0-9a-f-]{36})", done.output)[:1]
    [secret] = re.findall(r"against the certificate: (\w+)", done.output)

    certificate = await _run("certificate", id_, "--name", LOGIN.upper(), "--code", secret)
    assert certificate.exit_code == 0, certificate.output
    assert str(subject) in certificate.output
    assert "it is of whoever had that name" in certificate.output
    other = await _run("certificate", id_, "--name", "bystander", "--code", secret)
    assert (other.exit_code, "it is not of that name" in other.output) == (1, True)
    raw = await _run("certificate", id_, "--raw")
    assert raw.output == await place.root.fetchval("SELECT certificate FROM erasures")
    again = await _run("erase", LOGIN, *_WHY, "--yes")
    assert (again.exit_code, f"nobody is known as {LOGIN}" in again.output) == (2, True)
    deeds = await _run("deeds", "--since", "2020-01-01", "--json")
    assert '"deed": "erase"' in deeds.output or '"deed":"erase"' in deeds.output, deeds.output


async def test_a_hold_is_placed_listed_and_released(place: World) -> None:
    held = await _run("hold", LOGIN, "--reason", "matter 7", "--actor", "counsel", "--json")
    assert held.exit_code == 0, held.output
    listed = await _run("hold")
    assert json.loads(held.output)["hold"] in listed.output

    kept = await _run("erase", LOGIN, *_WHY, "--yes")
    assert (kept.exit_code, "not yet: a legal hold" in kept.output) == (1, True)
    assert "--when-allowed" in kept.output
    waits = await _run("erase", LOGIN, *_WHY, "--when-allowed")
    assert (waits.exit_code, "it waits, and is done by a worker" in waits.output) == (0, True), waits.output
    twice = await _run("erase", LOGIN, *_WHY, "--when-allowed")
    assert (twice.exit_code, "waits already" in twice.output) == (2, True)
    back = await _run("erase", LOGIN, *_WHY, "--withdraw")
    assert (back.exit_code, "withdrawn" in back.output) == (0, True)

    free = await _run("hold", LOGIN, "--release", "--reason", "settled")
    assert (free.exit_code, "is released" in free.output) == (0, True), free.output
    assert "no legal hold stands" in (await _run("hold")).output
    outcomes = [
        d["outcome"]
        for d in await rows(place.root, "SELECT outcome FROM entries WHERE hook = 'operator' ORDER BY id")
    ]
    assert outcomes == ["legal hold", "erasure planned", "erasure withdrawn", "hold released"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["erase"], "give a person, or --replay"),
        (["erase", LOGIN], "--reason is empty"),
        (["erase", LOGIN, *_WHY, "--yes", "--withdraw"], "give one of them"),
        (["erase", "nobody-such", *_WHY], "nobody is known as nobody-such"),
        (["certificate", "x"], "is no id of a certificate"),
        (["certificate", "019a0000-0000-7000-8000-000000000000"], "there is no certificate with that id"),
        (["hold", LOGIN], "--reason is empty"),
    ],
)
async def test_mistakes_are_said(place: World, arguments: list[str], words: str) -> None:
    before = await place.everything()

    done = await _run(*arguments)

    assert (done.exit_code, words in done.output) == (2, True), done.output
    assert await place.everything() == before


async def test_a_replay_with_nothing_to_do_says_so(place: World) -> None:
    done = await _run("erase", "--replay")

    assert (done.exit_code, "the store has every erasure that is on the list" in done.output) == (0, True), (
        done.output
    )


async def test_with_four_eyes_one_asks_and_another_approves(place: World, tmp_path: Path) -> None:
    file = tmp_path / "hookledger.toml"
    file.write_text(
        file.read_text().replace("[tenants.as100]\n", '[tenants.as100]\nfour_eyes = ["erase"]\n', 1)
    )
    asked = await _run("erase", LOGIN, *_WHY, "--yes", "--json")
    assert asked.exit_code == 0, asked.output
    waits = await _run("erase", LOGIN, *_WHY, "--when-allowed")
    assert (waits.exit_code, "wants another person" in waits.output) == (2, True)
    request = json.loads(asked.output)["requested"]
    assert await place.tables_that_name_them() != set()

    own = await _top("approve", request, "--reason", "sure", "--actor", "dpo")
    assert (own.exit_code, "another person must" in own.output) == (2, True)
    held = await _run("hold", LOGIN, "--reason", "matter 7", "--actor", "counsel")
    kept = await _top("approve", request, "--reason", "looked at", "--actor", "counsel")
    assert (held.exit_code, kept.exit_code, "nothing was approved: a legal hold" in kept.output) == (
        0,
        2,
        True,
    )
    await _run("hold", LOGIN, "--release", "--reason", "settled")
    done = await _top("approve", request, "--reason", "looked at", "--actor", "counsel")

    assert done.exit_code == 0, done.output
    assert "against the certificate" in done.output
    assert await place.tables_that_name_them() == set()
    told = await rows(
        place.root,
        "SELECT outcome, actor, detail FROM entries WHERE outcome IN ('approved', 'erase') ORDER BY id",
    )
    assert {(d["outcome"], d["actor"]) for d in told} == {("approved", "counsel"), ("erase", "dpo")}
    [erase] = [d["detail"] for d in told if d["outcome"] == "erase"]
    assert (erase["request"], erase["approved by"]) == (request, "counsel")

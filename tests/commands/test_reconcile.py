"""Reconcile: what is printed for people and for programs, who is named as actor, and the exit codes."""

import getpass
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from dev.simulate.platform import Reply, Users, envelope, serving
from ledger.engine import Pool
from settings import Settings, Store
from tests.commands.conftest import Run
from tests.runtime.reconcile.world import World, configuration, user
from tests.support import rows, write_configuration


@pytest.fixture
async def users() -> Users:
    """The platform's users."""
    return Users()


@pytest.fixture
async def settings(store: Store, tmp_path: Path, users: Users) -> AsyncGenerator[Settings]:
    """A tenant with a platform, and one without."""
    (tmp_path / "api.token").write_text("good-token\n")
    (tmp_path / "other.key").write_text("o" * 48)
    other = '[tenants.as200.token]\nkeys = [{ secret = { file = "other.key" } }]\n[tenants.as200.deprovision]\nanswer = "never"\n'
    async with serving(users) as url:
        yield write_configuration(tmp_path, store, configuration(url) + other)


@pytest.fixture
async def here(settings: Settings, pool: Pool, users: Users) -> World:
    """Three people who agree, one who was missed, one who is gone."""
    here = World(settings, pool, users)
    await here.both(*(user(n) for n in range(4)))
    users.people.pop(user(3)["id"])
    users.put(user(9))
    users.put(user(2, department="Legal", version=2))
    return here


async def test_a_table_for_people(run: Run, here: World) -> None:
    result = await run("reconcile")

    assert result.exit_code == 0, result.output
    for line in ("listed by the platform", "missed create", "missed change", "missed removal"):
        assert line in result.stdout
    assert f"missed change · {user(2)['id']} department (own record, receipt " in result.stdout
    assert {actor for _, _, actor in await here.entries()} == {f"os:{getpass.getuser()}"}
    assert "person" not in result.output
    again = await run("reconcile", "--tenant", "as100")
    assert "receipt" not in again.stdout


async def test_one_object_a_line_for_programs_with_ids_only(run: Run, here: World) -> None:
    result = await run("reconcile", "--json", "--dry-run")

    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert {(one["difference"], one["platform_id"], tuple(one["attributes"])) for one in found} == {
        ("missed create", user(9)["id"], ()),
        ("missed change", user(2)["id"], ("department",)),
        ("missed removal", user(3)["id"], ()),
    }
    assert {one["receipt"] for one in found} == {None}
    assert "example" not in result.stdout
    assert await here.entries() == []


async def test_activities_run_when_asked(run: Run, here: World, pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "hookledger.toml"
    path.write_text(
        path.read_text()
        + '[activities.notify]\nurl = "http://127.0.0.1:9"\nsecret = { file = "webhook.key" }\n'
    )

    assert (await run("reconcile", "--run-activities")).exit_code == 0

    work = await rows(pool, "SELECT DISTINCT activity FROM work ORDER BY 1")
    assert [row["activity"] for row in work] == ["change", "creation", "notify"]


async def test_what_is_left_open_is_said_and_ends_with_1(run: Run, here: World) -> None:
    here.users.mischief = lambda asked: (
        envelope({"content": [user(0)], "totalElements": 7}) if asked.page == 0 else None
    )

    result = await run("reconcile")

    assert result.exit_code == 1
    assert "as100: nobody was called removed for not being listed: 1 people came of the" in result.stderr


async def test_the_brake_is_overruled_by_a_number(run: Run, here: World, tmp_path: Path) -> None:
    path = tmp_path / "hookledger.toml"
    path.write_text(path.read_text().replace("settle = 0", "settle = 0\nbrake = 0\nbrake_share = 0"))

    stopped = await run("reconcile")
    assert stopped.exit_code == 1
    assert "./hookledger reconcile --tenant as100 --removals N" in stopped.stderr
    assert [outcome for _, outcome, _ in await here.entries()].count("incident") == 1
    shown = await run("ledger", "search", "--outcome", "incident")
    assert "incident" in shown.stdout

    allowed = await run("reconcile", "--tenant", "as100", "--removals", "1")
    assert allowed.exit_code == 0, allowed.output
    assert "missed removal" in [outcome for _, outcome, _ in await here.entries()]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--tenant", "as300"), "no tenant as300; configured are as100, as200"),
        (("--tenant", "as200"), "tenants.as200 has no [platform]"),
    ],
)
async def test_who_cannot_be_reconciled_is_said(
    run: Run, here: World, arguments: tuple[str, ...], words: str
) -> None:
    result = await run("reconcile", *arguments)

    assert result.exit_code == 2
    assert words in result.stderr


async def test_a_refused_token_ends_with_2(run: Run, here: World) -> None:
    here.users.tokens = {"another"}

    result = await run("reconcile")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "refuses the token of tenants.as100.platform.token (401): renew the secret" in result.stderr
    assert "good-token" not in result.output


async def test_a_redirect_ends_with_2_and_is_not_followed(run: Run, here: World) -> None:
    here.users.mischief = lambda _: Reply(302, b"", {"location": "http://127.0.0.1:9/"})

    result = await run("reconcile")

    assert result.exit_code == 2
    assert "name the API itself" in result.stderr


async def test_a_lost_store_ends_with_2(run: Run, here: World, tmp_path: Path) -> None:
    (tmp_path / "store.url").write_text("postgresql://hookledger_app:x@127.0.0.1:9/none")

    result = await run("reconcile")

    assert result.exit_code == 2
    assert "nothing was done: the store does not answer" in result.stderr

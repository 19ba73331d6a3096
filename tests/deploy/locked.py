"""What uv.lock says, and which of it production installs: followed from our own dependencies, without uv."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCK: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
PACKAGES: dict[str, dict[str, Any]] = {package["name"]: package for package in LOCK["package"]}


def runtime() -> dict[str, str]:
    """Every package that our dependencies bring, whatever the machine: name and version."""
    found: dict[str, str] = {}
    asked: list[tuple[dict[str, Any], tuple[str, ...]]] = [(PACKAGES["hookledger"], ())]
    done: set[tuple[str, tuple[str, ...]]] = set()
    while asked:
        package, extras = asked.pop()
        if (package["name"], extras) in done:
            continue
        done.add((package["name"], extras))
        found[package["name"]] = package["version"]
        optional = package.get("optional-dependencies", {})
        brought = [*package.get("dependencies", []), *(one for extra in extras for one in optional[extra])]
        asked += [(PACKAGES[one["name"]], tuple(one.get("extra", ()))) for one in brought]
    del found["hookledger"]
    return found

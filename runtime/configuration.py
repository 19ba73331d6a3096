"""Loads the configuration with the tenants' rules compiled: every mistake at once, or everything that is needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from decisions._registry import registry
from rules.compiling import check_with, compile_all
from rules.policy import Policy
from settings import Settings
from settings import load as load_settings


@dataclass(frozen=True)
class Configuration:
    """The settings, and each tenant's policy."""

    settings: Settings
    policies: Mapping[str, Policy]


def load_checked(path: Path | None = None) -> Settings:
    """The settings; the rules in them compile. Raises settings.ConfigError."""
    return load_settings(path, check_with(registry()))


def compiled(settings: Settings) -> dict[str, Policy]:
    """Each tenant's policy, from settings that were checked."""
    return compile_all(settings, registry())

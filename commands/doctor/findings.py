"""What the doctor found, as plain data: the screen shows it, `--json` prints it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ledger.overview import Standing

State = Literal["fine", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Check:
    """One part that was looked at. `remedy` is what to do about it, empty while there is nothing to do."""

    name: str
    state: State
    words: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class KeyName:
    """One configured key: how it is called and read, never what it is."""

    name: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do next. `fields` are those of a screen of the platform, with what to enter."""

    text: str
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class TenantReport:
    """One configured tenant: how it is set up, how it stands, what is wrong with it, what comes next."""

    name: str
    tenant_id: str
    algorithm: str
    keys: tuple[KeyName, ...]
    proof: bool
    deprovision: str
    rules: Mapping[str, int]
    """How many rules and unique attributes are on, in shadow, off."""
    standing: Standing | None
    """None while the store is out of reach."""
    never_seen: tuple[str, ...]
    checks: tuple[Check, ...]
    next: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything. `strangers` is how calls stand that named no configured tenant."""

    at: datetime
    checks: tuple[Check, ...]
    tenants: tuple[TenantReport, ...]
    strangers: Standing

    @property
    def fine(self) -> bool:
        """Whether nothing is wrong; notes may remain."""
        checks = [*self.checks, *(check for tenant in self.tenants for check in tenant.checks)]
        return all(check.state != "wrong" for check in checks)

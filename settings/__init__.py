"""One settings object, read once from hookledger.toml; all mistakes in it are named at once, with lines."""

from settings.limits import Limits
from settings.loading import (
    ConfigError,
    load,
    load_rules,
    load_tenants,
    parse,
    rule_places,
    wrong_at,
    wrong_in,
)
from settings.models import (
    Api,
    Bell,
    Deprovision,
    Key,
    Proof,
    Settings,
    Store,
    Sweep,
    Temporal,
    Tenant,
    Token,
    Unique,
    from_base64,
)
from settings.query import Query
from settings.tls import Tls
from settings.windows import Windows

__all__ = [
    "Api",
    "Bell",
    "ConfigError",
    "Deprovision",
    "Key",
    "Limits",
    "Proof",
    "Query",
    "Settings",
    "Store",
    "Sweep",
    "Temporal",
    "Tenant",
    "Tls",
    "Token",
    "Unique",
    "Windows",
    "from_base64",
    "load",
    "load_rules",
    "load_tenants",
    "parse",
    "rule_places",
    "wrong_at",
    "wrong_in",
]

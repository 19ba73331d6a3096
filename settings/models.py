"""The tables of hookledger.toml: what may stand in each, and what must be true of it."""

import base64
import binascii
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from settings.addresses import Addresses, Proxies, holds_everybody
from settings.breaker import Breaker
from settings.degraded import Degraded
from settings.four_eyes import FourEyes
from settings.limits import Limits
from settings.metrics import Metrics
from settings.mistakes import Mistake, TableError
from settings.platform import Platform, safe_address
from settings.query import Query
from settings.references import Free, Referenced, ReferencedIfThere, leads_to_nothing
from settings.rules import Attribute, Code, Mode, Rules, looks_like
from settings.sealing import Evidence
from settings.spool import Spool
from settings.table import Table
from settings.tls import Tls
from settings.traces import Traces
from settings.vault import Vault
from settings.windows import Watch, Windows

_KEY_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Pause = Annotated[float, Field(ge=0, le=600)]
"""Seconds that may be none at all."""
Name = Annotated[str, looks_like(r"[A-Za-z0-9_-]{1,64}", "must be 1 to 64 letters, digits, - or _")]
Prefix = Annotated[
    str,
    looks_like(r"(/[^/\s?#{}]+)*", 'must be "", or begin with / and not end with it, as "/webhook" does'),
]
Postgres = Annotated[str, looks_like(r"postgres(ql)?://.+", "must begin with postgresql://")]


class Api(Table):
    """The listener for webhooks. `deadline` is the time, in seconds, in which every hook is answered."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8080
    prefix: Prefix = "/webhook"
    deadline: Seconds = 2.0
    max_body: Annotated[int, Field(ge=1024)] = 1_048_576
    max_depth: Annotated[int, Field(ge=4, le=512)] = 64
    keep_degraded: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    """Answers given without the store that a process keeps until they can be recorded."""
    most_connections: Annotated[int, Field(ge=8, le=100_000)] = 800
    """Callers of a process at a time. A process may have 1,024 files open on many systems, unless told otherwise."""
    tls: Tls | None = None
    forwarded_allow_ips: Proxies = "127.0.0.1"
    """Proxies whose X-Forwarded-For is believed; the caller is the last address in it that is none of theirs."""
    allow: Addresses = ()
    """Who may call; empty: anybody with a good token."""


class Store(Table):
    """Postgres. `owner_url` is None where it is not given: only migrations and `ledger rebuild` need it.

    `keeper_url` likewise: erasing needs it.
    """

    url: Annotated[Postgres, Referenced] = Field(repr=False)
    owner_url: Annotated[Postgres | None, ReferencedIfThere] = Field(default=None, repr=False)
    keeper_url: Annotated[Postgres | None, ReferencedIfThere] = Field(default=None, repr=False)
    pool_size: Annotated[int, Field(ge=1, le=1000)] = 6
    """Connections of a process: twice the cores of a small Postgres and two. More make each call dearer there (docs/adr/0034)."""
    statement_timeout: Seconds = 2.0


class Temporal(Table):
    """How we use Temporal. Address, namespace and TLS come from TEMPORAL_* (temporalio.envconfig)."""

    show_login: bool = True
    task_queue: Annotated[str, Field(min_length=1)] = "hookledger"
    retention_days: Count = 30
    deployment: Name | None = None
    """The worker deployment, where workers are versioned (docs/release.md)."""


class Bell(Table):
    """Ringing of workflows after an answer, in seconds."""

    coalesce: Pause = 0.25
    bookkeeping_wait: Pause = 1.0
    concurrency: Count = 8


class Sweep(Table):
    """Looks for work that nobody rang for (`unrung`) or that went quiet, in seconds."""

    interval: Seconds = 2.0
    unrung: Seconds = 5.0
    quiet: Seconds = 120.0


class Key(Table):
    """One shared key. `secret` is the text as configured; `material` the bytes that sign."""

    secret: Annotated[str, Referenced] = Field(repr=False)
    encoding: Literal["raw", "base64"] = "raw"
    name: Name = "current"
    spare: bool = False
    """While its file or variable is empty or missing there is no such key: what is mounted once is filled for a rotation."""

    @cached_property
    def material(self) -> bytes:
        return self.secret.encode() if self.encoding == "raw" else from_base64(self.secret)

    @model_validator(mode="after")
    def _decodes(self) -> Self:
        try:
            _ = self.material
        except ValueError:
            words = 'does not decode as base64: check it, or set encoding = "raw"'
            raise TableError((("secret",), words)) from None
        return self


def is_empty_spare(key: Any, root: Path) -> bool:
    """Whether a table of `keys`, as it stands in the configuration, is no key for now."""
    table = cast("dict[str, Any]", key) if isinstance(key, dict) else {}
    return table.get("spare") is True and leads_to_nothing(table.get("secret"), root)


class Proof(Table):
    """Proof by use: a cheap authenticated read of the platform's API, answered 200 for a good token."""

    url: str

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        return safe_address(url)


class Token(Table):
    """How a tenant's tokens are verified: `tenant_id` is their tenantId claim; times are seconds."""

    tenant_id: str = ""
    algorithm: Literal["HS256", "HS384", "HS512"] = "HS256"
    keys: tuple[Key, ...] = ()
    leeway: Pause = 30
    max_life: Seconds = 86_400
    proof: Proof | None = None

    @field_validator("keys", mode="before")
    @classmethod
    def _without_empty_spares(cls, keys: Any, info: ValidationInfo) -> Any:
        if info.context is None or not isinstance(keys, list):
            return keys
        listed = cast("list[Any]", keys)
        return [key for key in listed if not is_empty_spare(key, cast("Path", info.context))]

    @model_validator(mode="after")
    def _can_verify(self) -> Self:
        if not self.keys and not self.proof:
            raise ValueError("needs at least one key in keys, or proof, else no token could ever be accepted")
        least = _KEY_BYTES[self.algorithm]
        short = f"has fewer than the {least * 8} bits that {self.algorithm} needs (RFC 7518, 3.2): renew it"
        names = [key.name for key in self.keys]
        found: list[Mistake] = []
        for place, key in enumerate(self.keys):
            if len(key.material) < least:
                found.append((("keys", place, "secret"), short))
            if key.name in names[:place]:
                words = "is also the name of another key: refusals tell keys apart by name"
                found.append((("keys", place, "name"), words))
        if found:
            raise TableError(*found)
        return self


class Unique(Table):
    """An attribute no two users share: its dotted path in the user, its normal form, a refusal's code.

    statuses: only people with one of these (any case), or with none at all, count; empty: everybody does.
    mode: else that of the tenant's rules.
    """

    attribute: Attribute
    form: Literal["login", "email", "mobile", "text"]
    code: Code
    statuses: tuple[str, ...] = ()
    mode: Mode | None = None


class Deprovision(Table):
    """Whether runDeprovision removes access; more than `brake` removals in `brake_window` seconds stop it."""

    answer: Literal["always", "rules", "never"]
    brake: Count = 50
    brake_window: Seconds = 3600


_DEFAULT_UNIQUE = (
    Unique(attribute="login", form="login", code="LoginAlreadyExist"),
    Unique(attribute="email", form="email", code="EmailAlreadyExist"),
    Unique(attribute="mobile", form="mobile", code="MobileAlreadyExist"),
)


class Tenant(Table):
    """One tenant of the platform. `region` (ISO 3166) is where its mobile numbers are at home."""

    token: Token
    region: str = "IN"
    unique: tuple[Unique, ...] = _DEFAULT_UNIQUE
    hold_seconds: Seconds = 600
    leavers_release_days: Annotated[int, Field(ge=0)] = 0
    deprovision: Deprovision
    answer_shape: Literal["data", "data+error", "echo"] = "data"
    rules: Rules = Rules()
    windows: Windows = Windows()
    platform: Platform | None = None
    degraded: Degraded = Degraded()
    limits: Limits = Limits()
    allow: Addresses = ()
    """From where this tenant's platform calls; empty: from wherever `api.allow` lets in."""
    four_eyes: tuple[FourEyes, ...] = ()
    """Deeds that one person asks for and another approves (docs/deeds.md)."""

    @field_validator("region")
    @classmethod
    def _is_known(cls, region: str) -> str:
        from phonenumbers import SUPPORTED_REGIONS

        if region not in SUPPORTED_REGIONS:
            raise ValueError("must be a two-letter region of ISO 3166 in capitals, such as IN or GB")
        return region

    @field_validator("unique")
    @classmethod
    def _once_each(cls, unique: tuple[Unique, ...]) -> tuple[Unique, ...]:
        attributes = [u.attribute for u in unique]
        twice = [p for p, attribute in enumerate(attributes) if attribute in attributes[:p]]
        if twice:
            raise TableError(
                *(((p, "attribute"), "is named a second time: keep one of the two") for p in twice)
            )
        return unique


class Settings(Table):
    """Everything that is configured. Made by `load`; frozen."""

    fingerprint_key: Annotated[bytes, Referenced] = Field(repr=False)
    store: Store
    tenants: Annotated[dict[Name, Tenant], Field(min_length=1)]
    api: Api = Api()
    temporal: Temporal = Temporal()
    bell: Bell = Bell()
    sweep: Sweep = Sweep()
    breaker: Breaker = Breaker()
    watch: Watch = Watch()
    query: Query = Query()
    ledger: Evidence = Evidence()
    spool: Spool = Spool()
    vault: Vault = Vault()
    metrics: Metrics = Metrics()
    traces: Traces = Traces()
    activities: dict[str, dict[str, Free]] = Field(default_factory=dict[str, dict[str, Any]], repr=False)

    @field_validator("fingerprint_key")
    @classmethod
    def _is_long(cls, key: bytes) -> bytes:
        if len(key) < 32:
            raise ValueError("must have at least 32 bytes: it keeps fingerprints from being guessed")
        return key

    @field_validator("tenants")
    @classmethod
    def _named(cls, tenants: dict[str, Tenant]) -> dict[str, Tenant]:
        """A tenantId is the table's name unless it is given."""
        return {
            name: tenant
            if tenant.token.tenant_id
            else tenant.model_copy(update={"token": tenant.token.model_copy(update={"tenant_id": name})})
            for name, tenant in tenants.items()
        }

    @field_validator("spool")
    @classmethod
    def _carries_every_body(cls, spool: Spool, info: ValidationInfo) -> Spool:
        if isinstance(api := info.data.get("api"), Api):
            spool.check_carries(api.max_body)
        return spool

    @field_validator("query")
    @classmethod
    def _grants_in_tenants(cls, query: Query, info: ValidationInfo) -> Query:
        query.check_grants(info.data.get("tenants", {}))
        return query

    @model_validator(mode="after")
    def _knows_its_callers(self) -> Self:
        self.check_lists()
        return self

    def check_lists(self) -> None:
        """Raises TableError for lists of addresses where each caller says where they come from: they are worth nothing."""
        if not holds_everybody(self.api.forwarded_allow_ips):
            return
        words = "cannot stand beside api.forwarded_allow_ips that holds everybody: then every caller says where they come from"
        found: list[Mistake] = [(("api", "allow"), words)] if self.api.allow else []
        found += [
            (("tenants", name, "allow"), words) for name, tenant in self.tenants.items() if tenant.allow
        ]
        if found:
            raise TableError(*found)


def from_base64(text: str) -> bytes:
    """Standard or URL-safe alphabet, padding optional: both are seen in the wild. Raises ValueError."""
    plain = text.strip().translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error

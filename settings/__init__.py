"""One settings object, read once from hookledger.toml; all mistakes in it are named at once, with lines."""

import base64
import binascii
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from settings.degraded import Degraded
from settings.limits import Limits
from settings.mistakes import Mistake, TableError, Where, in_words
from settings.places import Placed, Places, unreadable
from settings.platform import Platform, safe_address
from settings.query import Query
from settings.references import Free, Referenced, ReferencedIfThere
from settings.rules import KINDS, Attribute, Code, Mode, Rules, looks_like, merge
from settings.table import Table
from settings.tls import Tls
from settings.windows import Watch, Windows

_KEY_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}


class ConfigError(Exception):
    """What is wrong with the configuration, one line per mistake: `file:line:column: dotted.path: what is wrong`.

    `placed` has the same for those who draw it; it is empty if the file cannot be read at all.
    """

    def __init__(self, words: str, placed: Sequence[Placed] = ()) -> None:
        super().__init__(words)
        self.placed = placed


Check = Callable[[str, "Tenant"], Iterator[Mistake]]
"""Looks at one tenant's rules: gives mistakes whose places are relative to the tenant's table."""


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
    tls: Tls | None = None
    forwarded_allow_ips: str = "127.0.0.1"


class Store(Table):
    """Postgres. `owner_url` is None where it is not given: only migrations and `ledger rebuild` need it."""

    url: Annotated[Postgres, Referenced] = Field(repr=False)
    owner_url: Annotated[Postgres | None, ReferencedIfThere] = Field(default=None, repr=False)
    pool_size: Annotated[int, Field(ge=1, le=1000)] = 10
    statement_timeout: Seconds = 2.0


class Temporal(Table):
    """How we use Temporal. Address, namespace and TLS come from TEMPORAL_* (temporalio.envconfig)."""

    show_login: bool = True
    task_queue: Annotated[str, Field(min_length=1)] = "hookledger"
    retention_days: Count = 30


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
    watch: Watch = Watch()
    query: Query = Query()
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

    @field_validator("query")
    @classmethod
    def _grants_in_tenants(cls, query: Query, info: ValidationInfo) -> Query:
        query.check_grants(info.data.get("tenants", {}))
        return query


def load(path: Path | None = None, check: Check | None = None) -> Settings:
    """Reads the configuration: the path given, else $HOOKLEDGER_CONFIG, else ./hookledger.toml.

    `check` looks at each tenant's rules, also while other parts are wrong.
    Raises ConfigError with all mistakes, one per line. Values are never part of its text.
    """
    path = _configured(path)
    text, data = parse(path)
    root = path.resolve().parent
    places = Places(path, text)
    found = [*_include(data, path, places), *_between_tenants(data, root)]
    if check is not None:
        found += _in_rules(data, root, check)
    settings = None
    try:
        settings = Settings.model_validate(data, context=root)
    except ValidationError as error:
        found += in_words(error, Settings)
    if found or settings is None:
        raise wrong_at(places, found)
    return settings


def load_tenants(path: Path | None = None, check: Check | None = None) -> dict[str, Tenant]:
    """The tenants as configured but for their tokens: all that rules need, where there is no secret. Raises ConfigError."""
    path = _configured(path)
    text, data = parse(path)
    root = path.resolve().parent
    places = Places(path, text)
    found = list(_include(data, path, places))
    if check is not None:
        found += _in_rules(data, root, check)
    tenants: dict[str, Tenant] = {}
    for name, table in _tables(data.get("tenants")):
        try:
            tenants[name] = Tenant.model_validate(table | {"token": _STAND_IN["token"]}, context=root)
        except ValidationError as error:
            found += [(("tenants", name, *where), words) for where, words in in_words(error, Tenant)]
    if found:
        raise wrong_at(places, found)
    return tenants


def load_rules(path: Path, name: str, tenant: Tenant, check: Check, mode: Mode | None = None) -> Tenant:
    """The tenant with the rules of one file in place of its own. Raises ConfigError.

    Its zone, attributes and tables stay where the file says none of them; `mode` is for rules that say none.
    """
    text, data = parse(path)
    root = path.resolve().parent
    found: list[Mistake] = []
    if "include" in data:
        found.append((("include",), "cannot stand here: a file of rules includes no others"))
        del data["include"]
    own = tenant.rules.model_dump(include={"zone", "attributes", "python_timeout"})
    data = own | ({} if mode is None else {"mode": mode}) | data
    tables = {table: lookup.model_dump(exclude_none=True) for table, lookup in tenant.rules.tables.items()}
    written = data.get("tables", {})
    if isinstance(written, dict):
        data["tables"] = tables | cast("dict[str, Any]", written)
    whole = {"rules": data, "unique": [u.model_dump() for u in tenant.unique]}
    for where, words in _in_rules({"tenants": {name: whole}}, root, check):
        found.append((where[3:], words))
    rules = None
    try:
        rules = Rules.model_validate(data, context=root)
    except ValidationError as error:
        found += in_words(error, Rules)
    if found or rules is None:
        raise wrong_at(Places(path, text, rules=True), found)
    return tenant.model_copy(update={"rules": rules})


def rule_places(path: Path | None = None) -> dict[tuple[str, str], Placed]:
    """Where each rule stands, by tenant and name, in a configuration that can be loaded."""
    path = _configured(path)
    text, data = parse(path)
    places = Places(path, text)
    for _ in _include(data, path, places):
        pass
    found: dict[tuple[str, str], Placed] = {}
    for name, table in _tables(data.get("tenants")):
        for kind in KINDS:
            for place, rule in enumerate(cast("list[dict[str, Any]]", table.get("rules", {}).get(kind, []))):
                found[name, rule["name"]] = places.place((("tenants", name, "rules", kind, place), ""))
    return found


def wrong_at(places: Places, found: Sequence[Mistake]) -> ConfigError:
    """The error that names every mistake with its place."""
    placed = sorted(map(places.place, found), key=lambda p: (str(p.file), p.line, p.column or 0, p.where))
    return ConfigError("\n".join(map(str, placed)), placed)


def _configured(path: Path | None) -> Path:
    return path or Path(os.environ.get("HOOKLEDGER_CONFIG") or "hookledger.toml")


def from_base64(text: str) -> bytes:
    """Standard or URL-safe alphabet, padding optional: both are seen in the wild. Raises ValueError."""
    plain = text.strip().translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error


def parse(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file, and what it says. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        words = f"cannot be read: {error.strerror}; run in the project's root or set HOOKLEDGER_CONFIG"
        raise ConfigError(f"{path}: {words}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: must be text in UTF-8") from None
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column (\d+)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (text.count("\n") + 1, None)
        words = "not valid TOML here: check quotes, brackets and ="
        raise ConfigError(f"{path}:{line}: {words}", [unreadable(path, text, line, column, words)]) from None


def _between_tenants(data: dict[str, Any], root: Path) -> Iterator[Mistake]:
    """What only shows when tenants are compared; also found while other parts of the file are wrong."""
    ids: dict[str, str] = {}
    secrets: dict[bytes, str] = {}
    for name, token in _readable_tokens(data, root):
        where: Where = ("tenants", name, "token")
        other = ids.setdefault(token.tenant_id or name, name)
        if other != name:
            yield (*where, "tenant_id"), f"is also that of tenants.{other}: a tenantId leads to one tenant"
        for place, key in enumerate(token.keys):
            other = secrets.setdefault(key.material, name)
            if other != name:
                words = f"is also a secret of tenants.{other}: one tenant could sign for the other"
                yield (*where, "keys", place, "secret"), words


def _include(data: dict[str, Any], path: Path, places: Places) -> Iterator[Mistake]:
    """Adds the files that a tenant's rules name to them; their places are kept."""
    for name, tenant in _tables(data.get("tenants")):
        rules = tenant.get("rules")
        names = rules.get("include", []) if isinstance(rules, dict) else []  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
        for place, file in enumerate(cast("list[Any]", names if isinstance(names, list) else [])):
            under: Where = ("tenants", name, "rules")
            if not isinstance(file, str):
                yield (*under, "include", place), "must be the name of a file, relative to this one"
                continue
            try:
                text, part = parse(path.parent / file)
            except ConfigError as wrong:
                yield (*under, "include", place), str(wrong)
                continue
            if "include" in part:
                yield (*under, "include", place), f"{file} includes others itself: name them here instead"
                continue
            moved = merge(cast("dict[str, Any]", rules), part)
            places.included(path.parent / file, text, under, moved)


def _in_rules(data: dict[str, Any], root: Path, check: Check) -> Iterator[Mistake]:
    """What `check` finds in the rules of every tenant, whatever else is wrong with it, and with other rules of it."""
    for name, table in _tables(data.get("tenants")):
        readable, kept = _readable_rules({k: table[k] for k in ("rules", "unique") if k in table}, root)
        for where, words in check(name, readable) if readable else ():
            if where[:1] == ("rules",) and len(where) > 2 and isinstance(where[2], int):
                where = ("rules", where[1], kept[str(where[1])][where[2]], *where[3:])  # noqa: PLW2901
            yield ("tenants", name, *where), words


_STAND_IN: dict[str, Any] = {
    "token": {"keys": [], "proof": {"url": "https://stand.in/"}},
    "deprovision": {"answer": "never"},
}
"""What rules do not need of a tenant."""


def _readable_rules(parts: dict[str, Any], root: Path) -> tuple[Tenant | None, dict[str, list[int]]]:
    """A tenant with the rules that are well-formed, and for each kind the places at which they stand in the file."""
    bad: set[tuple[str | int, ...]] = set()
    for _ in range(2):
        kept: dict[str, list[int]] = {}
        rules = dict(cast("dict[str, Any]", parts["rules"])) if isinstance(parts.get("rules"), dict) else {}
        for kind in KINDS:
            listed = cast("list[Any]", rules[kind]) if isinstance(rules.get(kind), list) else []
            kept[kind] = [place for place in range(len(listed)) if (kind, place) not in bad]
            if listed:
                rules[kind] = [listed[place] for place in kept[kind]]
        try:
            return Tenant.model_validate(_STAND_IN | parts | {"rules": rules}, context=root), kept
        except ValidationError as wrong:
            bad |= {e["loc"][1:3] for e in wrong.errors(include_input=False) if e["loc"][:1] == ("rules",)}
    return None, {}


def _tables(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, table in cast("dict[str, Any]", value if isinstance(value, dict) else {}).items():
        if isinstance(table, dict):
            yield name, cast("dict[str, Any]", table)


def _readable_tokens(data: dict[str, Any], root: Path) -> Iterator[tuple[str, Token]]:
    for name, tenant in _tables(data.get("tenants")):
        if "token" in tenant:
            try:
                yield name, Token.model_validate(tenant["token"], context=root)
            except ValidationError:
                continue  # already named by the validation of the whole

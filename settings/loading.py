"""Reads hookledger.toml and the files it includes, and names all mistakes in them at once, with lines."""

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import (
    ValidationError,
)

from settings.mistakes import Mistake, Where, in_words
from settings.models import Settings, Tenant, Token
from settings.places import Placed, Places, unreadable
from settings.rules import KINDS, Mode, Rules, merge


class ConfigError(Exception):
    """What is wrong with the configuration, one line per mistake: `file:line:column: dotted.path: what is wrong`.

    `placed` has the same for those who draw it; it is empty if the file cannot be read at all.
    """

    def __init__(self, words: str, placed: Sequence[Placed] = ()) -> None:
        super().__init__(words)
        self.placed = placed


Check = Callable[[str, "Tenant"], Iterator[Mistake]]
"""Looks at one tenant's rules: gives mistakes whose places are relative to the tenant's table."""


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


def wrong_in(found: Sequence[Mistake], path: Path | None = None) -> ConfigError:
    """The error that names mistakes which only showed in a configuration that was loaded. Raises ConfigError if it is gone."""
    path = _configured(path)
    return wrong_at(Places(path, parse(path)[0]), found)


def wrong_at(places: Places, found: Sequence[Mistake]) -> ConfigError:
    """The error that names every mistake with its place."""
    placed = sorted(map(places.place, found), key=lambda p: (str(p.file), p.line, p.column or 0, p.where))
    return ConfigError("\n".join(map(str, placed)), placed)


def _configured(path: Path | None) -> Path:
    return path or Path(os.environ.get("HOOKLEDGER_CONFIG") or "hookledger.toml")


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

"""Says what the platform knows of a person that we were not told. Pure: neither store nor platform is asked here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from hooks.facts import fact_of
from hooks.secrets import CUT
from ledger.known import Known

Json = dict[str, Any]

OMITTED_WHEN_EMPTY = frozenset(
    {
        "firstName", "middleName", "lastName", "email", "mobile", "countryCode", "landline", "country", "city",
        "address1", "address2", "userType", "department", "designation", "grade", "employeeId", "managerId",
        "orgUnitId", "associatedPartner", "dateOfBirth", "startDate", "endDate",
    }
)  # fmt: skip
"""Attributes of CONTRACT B2.1 that a hook leaves out when they are empty: missing here, they were empty."""

NEVER_COMPARED = frozenset(
    {
        "id", "created", "createdBy", "updated", "updatedBy", "version", "appUpdatedDate",  # audit
        "displayName", "managerDisplayName",  # derived by the platform
        "provisionedApps",  # what postProvision tells, with counters that change at every login
        "securityQuestion", "password", "profilePic", "profilePicture",
    }
)  # fmt: skip

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_MOMENTS = frozenset({"startDate", "endDate", "dateOfBirth"})
_SETS = frozenset({"assignedGroups", "rbacRoles"})
_WITH_APPLICATION = "_WITH_APPLICATION"


class Missed(StrEnum):
    """Which fact did not come; its word in the ledger."""

    CREATE = "missed create"
    CHANGE = "missed change"
    REMOVAL = "missed removal"


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `attributes` are names, never values."""

    missed: Missed
    attributes: tuple[str, ...] = ()


def login_of(user: Mapping[str, Any]) -> str | None:
    """The login: at top level, or where the platform's own record keeps it (CONTRACT B2.1)."""
    inner: Any = user.get("provisionedApps")
    for part in ("CYMMETRI", "login", "login"):
        inner = cast("Json", inner).get(part) if isinstance(inner, dict) else None
    for value in (user.get("login"), inner):
        if isinstance(value, str) and value.strip():
            return value
    return None


def judge(user: Json, known: Known | None, ignored: Collection[str] = ()) -> Finding | None:
    """What was missed about a person whom the platform shows so, or None. A leaver nobody knew was not missed."""
    told = fact_of(user)
    if known is None or not known.told:
        return None if told.left else Finding(Missed.CREATE)
    if is_older(user, known):
        return None
    if told.left:
        return None if known.left else Finding(Missed.REMOVAL)
    attributes = changed(known.user, user, ignored) if known.user is not None else []
    if known.left and "status" not in attributes:
        attributes = sorted([*attributes, "status"])
    return Finding(Missed.CHANGE, tuple(attributes)) if attributes else None


def is_older(user: Json, known: Known) -> bool:
    """Whether a fact has told us of a later state than this one."""
    told = fact_of(user)
    if told.version is not None and known.version is not None:
        return told.version < known.version
    if told.updated is not None and known.updated is not None:
        return told.updated < known.updated
    return False


def changed(before: Json, now: Json, ignored: Collection[str] = ()) -> list[str]:
    """Names of attributes that differ, as `attributes.badge` below the top. What `now` does not carry is no difference."""
    found: list[str] = []
    for name, value in now.items():
        if name in NEVER_COMPARED or name in ignored:
            continue
        if name == "attributes":
            found += _changed_custom(before.get(name), value, ignored)
        elif name in before or name in OMITTED_WHEN_EMPTY:
            if not _same(name, before.get(name), value):
                found.append(name)
        elif name == "status" and not _same(name, "ACTIVE", value):
            found.append(name)  # SEED's postCreateUser has none: a person begins active
    return sorted(found)


def _changed_custom(before: Any, now: Any, ignored: Collection[str]) -> list[str]:
    ours, theirs = _as_map(before), _as_map(now)
    names = ((name, f"attributes.{name}") for name in theirs if name in ours)
    return [path for name, path in names if path not in ignored and not _same(name, ours[name], theirs[name])]


def _as_map(value: Any) -> Json:
    """Custom attributes come as a map, or as a list of names and values (CONTRACT B2.1)."""
    if isinstance(value, list):
        pairs = [cast("Json", item) for item in cast("list[Any]", value) if isinstance(item, dict)]
        return {str(pair["name"]): pair.get("value") for pair in pairs if "name" in pair}
    return cast("Json", value) if isinstance(value, dict) else {}


def _same(name: str, ours: Any, theirs: Any) -> bool:
    if ours in _EMPTY and theirs in _EMPTY:
        return True
    if CUT in (ours, theirs):
        return True
    if isinstance(ours, str) and isinstance(theirs, str):
        return _plain(name, ours) == _plain(name, theirs)
    if name in _SETS and isinstance(ours, list) and isinstance(theirs, list):
        return _as_set(cast("list[Any]", ours)) == _as_set(cast("list[Any]", theirs))
    if isinstance(ours, dict | list) or isinstance(theirs, dict | list):
        return ours == theirs
    # Masters' values travel as numbers in one place and as text in another (grade).
    return ours == theirs or str(ours) == str(theirs)


def _plain(name: str, text: str) -> str:
    """One spelling: the same moment comes with and without seconds, a status with a mark that provisioning sets."""
    text = text.strip()
    if name in _MOMENTS:
        try:
            return datetime.fromisoformat(text).replace(tzinfo=None).isoformat()
        except ValueError:
            return text
    if name == "status":
        return text.upper().removesuffix(_WITH_APPLICATION)
    return text


def _as_set(values: list[Any]) -> list[str]:
    return sorted({str(value) for value in values})

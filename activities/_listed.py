"""What `provisionedApps` of a person's record tells of applications and roles, beside that of the record before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from activities._event import Event
from activities._tools import Tools
from ledger.people import ENDING, INFERRED_END, LISTED, UNKNOWN

_OWN = "CYMMETRI"
"""The platform's login itself stands among the applications (CONTRACT B2.1)."""
_NOT_THERE = frozenset({"PENDING_CREATE", "FAIL_CREATE", "SUCCESS_DELETE"})
"""Status of an account that is not there; the console takes unknown ones for assigned (CONTRACT B2.2)."""
_LONGEST = 256


@dataclass(frozen=True, slots=True)
class _Account:
    """An application that the record lists as there."""

    uid: str | None
    roles: frozenset[str]
    ending: bool


@dataclass(slots=True)
class _Differences:
    """In columns, as the statements take them. A role of '' is the application itself; gone, it takes all roles along."""

    apps: list[str] = field(default_factory=list[str])
    roles: list[str] = field(default_factory=list[str])
    uids: list[str | None] = field(default_factory=list[str | None])
    fresh: list[bool] = field(default_factory=list[bool])
    gone_apps: list[str] = field(default_factory=list[str])
    gone_roles: list[str] = field(default_factory=list[str])
    ending: list[str] = field(default_factory=list[str])


def keep_listed(event: Event, tools: Tools) -> None:
    """Opens what the record lists and the one before did not, and ends, as inferred, what it lists no more.

    A record without `provisionedApps`, or older than the one before, tells nothing. Of somebody who is archived the
    platform tells no more: what is open then has an unknown end.
    """
    listed = _listed(event.user)
    if listed is not None and not _older(event):
        _write(event, tools, _differences(_listed(event.before or {}), listed))
    if str(event.user.get("status", "")).upper().startswith("ARCHIV"):
        tools.db.write(UNKNOWN, subject=event.subject, at=event.received_at)


def _differences(before: Mapping[str, _Account] | None, now: Mapping[str, _Account]) -> _Differences:
    found, before = _Differences(), before or {}
    for app in sorted(now):
        account, was = now[app], before.get(app)
        for role in ["", *sorted(account.roles)]:
            found.apps.append(app)
            found.roles.append(role)
            found.uids.append(account.uid)
            found.fresh.append(was is None or (role != "" and role not in was.roles))
        if account.ending and not (was and was.ending):
            found.ending.append(app)
    for app in sorted(before):
        account = now.get(app)
        for role in [""] if account is None else sorted(before[app].roles - account.roles):
            found.gone_apps.append(app)
            found.gone_roles.append(role)
    return found


def _write(event: Event, tools: Tools, found: _Differences) -> None:
    person = {"subject": event.subject, "at": event.received_at}
    told = person | {"delivery": event.delivery}
    if found.gone_apps:
        tools.db.write(INFERRED_END, **told, applications=found.gone_apps, roles=found.gone_roles)
    if found.apps:
        tools.db.write(LISTED, **told, tenant=event.tenant, applications=found.apps, roles=found.roles,
                       uids=found.uids, fresh=found.fresh)  # fmt: skip
    for app in found.ending:
        tools.db.write(ENDING, **person, application=app)


def _listed(user: Mapping[str, Any]) -> Mapping[str, _Account] | None:
    """Accounts that are there, by application; None if the record does not say."""
    apps = user.get("provisionedApps")
    if not isinstance(apps, dict):
        return None
    found: dict[str, _Account] = {}
    for name, app in _object(apps).items():
        if name and name != _OWN and isinstance(app, dict):
            login, roles = _object(_object(app).get("login")), _object(app).get("assignedRoles")
            status = str(login.get("status", "")).upper()
            if status not in _NOT_THERE:
                found[_text(name)] = _Account(_uid(login), _roles(roles), status == "PENDING_DELETE")
    return found


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _uid(login: Mapping[str, Any]) -> str | None:
    uid = login.get("appUserId")
    return _text(uid) if isinstance(uid, str) and uid else None


def _roles(listed: Any) -> frozenset[str]:
    roles = cast("list[Any]", listed) if isinstance(listed, list) else []
    return frozenset(_text(role) for role in roles if isinstance(role, str) and role)


def _text(value: str) -> str:
    return value.replace("\x00", "\ufffd")[:_LONGEST]


def _older(event: Event) -> bool:
    """Whether the record before is a newer one, as receive() tells facts apart."""
    before = event.before or {}
    mine, theirs = event.user.get("version"), before.get("version")
    if isinstance(mine, int) and isinstance(theirs, int):
        return mine < theirs
    mine, theirs = event.user.get("updated"), before.get("updated")
    return isinstance(mine, str) and isinstance(theirs, str) and mine < theirs

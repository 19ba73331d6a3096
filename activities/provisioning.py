"""Keeps entitlements from what the platform says it provisioned: who had which application and role, since when."""

import re

from activities import Event, Hook, Outcome, Tools, activity
from ledger.people import END, ENDING, GRANT

_REMOVES = re.compile(r"delete|remove|unassign|revoke|de-?provision", re.IGNORECASE)
_LONGEST_ROLE = 256
_OF_ROLE = re.compile(r"role", re.IGNORECASE)


@activity(on=[Hook.PRE_PROVISION, Hook.POST_PROVISION], bookkeeping=True)
async def provisioning(event: Event, tools: Tools) -> Outcome:
    action = str(event.request.get("action", ""))
    removes = bool(_REMOVES.search(action))
    detail = {"action": action[:100].replace("\x00", "\ufffd")}
    if event.application is None:
        return Outcome("no application named", detail)
    if event.hook == Hook.PRE_PROVISION.name:
        if removes and not _OF_ROLE.search(action):
            tools.db.write(ENDING, subject=event.subject, application=event.application, at=event.received_at)
        return Outcome("removing" if removes else "provisioning", detail)
    if event.request.get("isSuccess") is not True:
        return Outcome("failed at the application", detail)
    if removes:
        _end(event, tools, _roles(event) if _OF_ROLE.search(action) else [None])
        return Outcome("removed", detail)
    _grant(event, tools)
    return Outcome("provisioned", detail)


def _grant(event: Event, tools: Tools) -> None:
    uid = event.request.get("uid")
    tools.db.write(
        GRANT,
        tenant=event.tenant,
        subject=event.subject,
        application=event.application,
        roles=["", *_roles(event)],
        uid=uid if isinstance(uid, str) and uid else None,
        at=event.received_at,
        delivery=event.delivery,
    )


def _end(event: Event, tools: Tools, roles: list[str] | list[None]) -> None:
    for role in roles:
        tools.db.write(
            END,
            subject=event.subject,
            application=event.application,
            role=role,
            at=event.received_at,
            delivery=event.delivery,
        )


def _roles(event: Event) -> list[str]:
    """Role ids of `roleList`: its type is open (CONTRACT B7), so texts and objects with an id are read."""
    listed = event.request.get("roleList")
    roles = listed if isinstance(listed, list) else []  # pyright: ignore[reportUnknownVariableType]
    found: list[str] = []
    for role in roles:  # pyright: ignore[reportUnknownVariableType]
        name = role.get("id") if isinstance(role, dict) else role  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]
        if isinstance(name, str) and name:
            found.append(name)
    return sorted({name.replace("\x00", "\ufffd")[:_LONGEST_ROLE] for name in found})

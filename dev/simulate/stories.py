"""The stories of a person as the hooks that the platform would send, in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dev.simulate.options import Story
from dev.simulate.people import APPLICATIONS, TARGETS, Person, rehired

EVENTS = frozenset({"postCreateUser", "postUpdateUser", "changePassword", "preProvision", "postProvision"})
"""Hooks whose answer the platform does not read: `Response: NA` on its page."""

USER_BACK = frozenset({"validateUser", "validateUpdateUser", "preCreateUser", "preUpdateUser"})
"""Hooks that are answered with the user."""

VALIDATES = frozenset({"validateUser", "validateUpdateUser"})
"""Hooks that may be refused."""


@dataclass(frozen=True, slots=True)
class Step:
    """One hook of a story. `request` is the value of the body's only key."""

    hook: str
    path: str
    request: dict[str, Any]
    story: Story
    login: str
    number: int
    application: str | None = None


@dataclass(slots=True)
class Record:
    """What the platform holds of a person while the stories go on."""

    person: Person
    exists: bool = False
    status: str = "ACTIVE"
    department: str = ""
    version: int = 0
    applications: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    def user(self) -> dict[str, Any]:
        """The user object of CONTRACT B2, each time a new one."""
        person = self.person
        user: dict[str, Any] = {
            "assignedGroups": ["66aa000000000000000000a1"] if self.exists else [],
            "provisionedApps": {name: dict(account) for name, account in self.applications.items()},
            "securityQuestion": {},
            "country": "India",
            "firstName": person.first_name,
            "lastName": person.last_name,
            "login": person.login,
            "userType": "Employee",
            "displayName": f"{person.first_name} {person.last_name}",
            "email": person.email,
            "mobile": person.mobile,
            "department": self.department or person.department,
            "designation": person.designation,
            "employeeId": person.employee_id,
            "managerId": "66aa00000000000000000101",
            "startDate": "2026-02-01T00:00",
            "endDate": None,
            "attributes": person.attributes,
        }
        if person.country_code:
            user["countryCode"] = "91"
        if self.exists:
            user |= {
                "id": person.platform_id,
                "status": self.status,
                "version": self.version,
                "created": "2026-01-30T09:00:00.12",
                "updated": f"2026-02-01T{self.version // 60:02d}:{self.version % 60:02d}:31.07",
            }
        return user


def tell(seed: int, person: Person, stories: Sequence[Story]) -> list[Step]:
    """The person's life as far as `stories` goes; a story that is left out happened in an earlier run."""
    record = Record(person)
    steps: list[Step] = []
    for story in ("joiner", "mover", "leaver", "rehire"):
        if story == "rehire":
            record = Record(rehired(seed, person))
        told = list(_STORIES[story](record))  # also when left out: it changes the record
        if story in stories:
            steps += told
    return steps


def validate(person: Person) -> Step:
    """The first hook of a joiner."""
    return _step("validateUser", "joiner", Record(person))


def create(person: Person) -> Iterator[Step]:
    """The hooks around the creation of a joiner who was let through."""
    record = Record(person)
    yield _step("preCreateUser", "joiner", record)
    record.exists, record.version = True, 1
    yield _step("postCreateUser", "joiner", record)


def _join(record: Record, story: Story = "joiner") -> Iterator[Step]:
    yield _step("validateUser", story, record)
    yield _step("preCreateUser", story, record)
    record.exists, record.version = True, 1
    yield _step("postCreateUser", story, record)
    for application, targets in record.person.maps:
        yield from _provision(record, story, application, targets)


def _provision(record: Record, story: Story, application: str, targets: tuple[str, ...]) -> Iterator[Step]:
    for target in targets:
        asked = {
            "targetAttribute": target,
            "cymmetrifield": TARGETS[target],
            "defaultValue": "",
            "formVeriable": "",
        }
        yield _step("policyMap", story, record, application, before=asked)
    order = _order(record, application, targets, "Application Create")
    yield _step("preProvision", story, record, application, before=order)
    record.applications[application] = _account(record.person, application, "SUCCESS_CREATE")
    record.version += 1
    yield _step("postProvision", story, record, application, before=order, after=_done(record, application))


def _move(record: Record) -> Iterator[Step]:
    record.department = record.person.next_department
    yield from _update(record, "mover")
    yield _step("changePassword", "mover", record, after={"passwordText": record.person.password})


def _leave(record: Record) -> Iterator[Step]:
    record.status = "INACTIVE"
    yield from _update(record, "leaver")
    yield _step("runDeprovision", "leaver", record)
    record.status = "DELETE"
    yield from _update(record, "leaver", validated=False)
    # Whatever runDeprovision said: the way to the archive ends with a last delete provisioning (CONTRACT B4).
    for application, targets in record.person.maps:
        order = _order(record, application, targets, "Application Delete")
        yield _step("preProvision", "leaver", record, application, before=order)
        done = _done(record, application)
        record.applications[application] = _account(record.person, application, "SUCCESS_DELETE")
        record.version += 1
        yield _step("postProvision", "leaver", record, application, before=order, after=done)


def _return(record: Record) -> Iterator[Step]:
    return _join(record, "rehire")


def _update(record: Record, story: Story, *, validated: bool = True) -> Iterator[Step]:
    if validated:
        yield _step("validateUpdateUser", story, record)
    yield _step("preUpdateUser", story, record)
    record.version += 1
    yield _step("postUpdateUser", story, record)


_STORIES = {"joiner": _join, "mover": _move, "leaver": _leave, "rehire": _return}


def _step(
    hook: str,
    story: Story,
    record: Record,
    application: str | None = None,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> Step:
    person = record.person
    # The page has both spellings of this one path.
    path = "policymap" if hook == "policyMap" and person.number % 2 else hook
    request = {**(before or {}), "user": record.user(), **(after or {})}
    return Step(hook, path, request, story, person.login, person.number, application)


def _order(record: Record, application: str, targets: Sequence[str], action: str) -> dict[str, Any]:
    """What a provisioning hook says before the user; for one application in the page's own string forms."""
    plain = application == APPLICATIONS[-1]
    user = record.user()
    return {
        "policyMap": "email" if plain else {target: user[TARGETS[target]] for target in targets},
        "form": "" if plain else {"preferredName": record.person.first_name, "additionalModules": "readonly"},
        "applicationId": application,
        "roleList": [] if plain else [f"{application[:-1]}a"],
        "action": action,
    }


def _done(record: Record, application: str) -> dict[str, Any]:
    return {"isSuccess": True, "uid": _uid(record.person, application)}


def _uid(person: Person, application: str) -> str:
    return f"TGT-{application[-1]}-{person.platform_id[4:]}"


def _account(person: Person, application: str, status: str) -> dict[str, Any]:
    return {
        "appId": application,
        "assignedRoles": [f"{application[:-1]}a"],
        "login": {
            "login": person.login,
            "password": None,
            "appUserId": _uid(person, application),
            "status": status,
            "provStatus": None,
            "pwdChangeCount": 0,
            "authFailCount": 0,
            "forceChangePassword": False,
            "initialLogin": True,
            "createdTimeStamp": "2026-01-05T09:00:00.12",
            "lastPasswordChange": None,
        },
    }

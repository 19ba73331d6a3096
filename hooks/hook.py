"""What a hook is: its names, its shape, what it decides and how it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from rules.opinion import Opinion
from rules.policy import Policy
from settings import Tenant

Json = dict[str, Any]
"""A JSON object as received; nothing in it has been renamed, dropped or converted."""


class Kind(StrEnum):
    """What the platform does with the answer (CONTRACT A)."""

    PROBE = "probe"
    DECISION = "decision"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Question:
    """One delivery as the hook sees it: the request, the user in it, who asks, and what the tenant's rules say."""

    request: Json = field(repr=False)
    user: Json = field(repr=False)
    tenant: Tenant
    policy: Policy
    opinion: Opinion
    opens: bool = False
    """Whether the tenant lets people pass this hook unchecked while it cannot be decided."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the hook wishes before the store has been asked. `value` is what the answer carries, if anything."""

    verdict: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the store made of the decision. `codes` are what refused it: clashing attributes, and rules as rule:NAME.

    `names` are what the wishes of the opinion got, in their order.
    """

    verdict: str
    codes: tuple[str, ...] = ()
    names: tuple[str | None, ...] = ()


def _received(_: Question) -> Decision:
    return Decision("received")


def _nothing(_question: Question, _decision: Decision, _ruling: Ruling) -> Json:
    return {}


def _whole(request: Json) -> Json:
    return request


class _Known(type):
    """Lets `Hook.POST_PROVISION` name the hook of `hooks/post_provision.py`, so that a hook is one file."""

    def __getattr__(cls, name: str) -> "Hook":
        if not name.isupper():
            raise AttributeError(name)
        from hooks import by_constant

        return by_constant(name)


@dataclass(frozen=True, slots=True)
class Hook(metaclass=_Known):
    """One of the platform's calls. Each lives in a file of its own, as `HOOK`."""

    name: str
    """As the platform spells it in its address."""
    purpose: str
    """One sentence for the OpenAPI page."""
    kind: Kind = Kind.EVENT
    about_user: bool = True
    """Carries `request.user.login`."""
    keys: Mapping[str, type] | None = None
    """The hook's own required keys of `request`, with their types."""
    creates: bool = False
    """Speaks of a person who is about to be, or has just been, created."""
    fact: bool = False
    """Changes what is known (CONTRACT A); the others are intentions."""
    whole_user: bool = False
    """The fact's user is the person's whole record."""
    check: Literal["create", "update"] | None = None
    holds: bool = False
    """Holds the unique values it asks for, if they are free."""
    confirms: tuple[str, ...] = ()
    """The intentions that this fact confirms, in the order of their chain: what comes later in it comes later."""
    repeats_are_suspect: bool = True
    braked: bool = False
    decide: Callable[[Question], Decision] = _received
    answer: Callable[[Question, Decision, Ruling], Json] = _nothing
    """The object under `response`."""
    unavailable: Callable[[Question], Decision] | None = None
    """What is decided when the store is out of reach; `answer` says it. None: the call is refused with 503."""
    keep: Callable[[Json], Json] = _whole
    """What of the request is stored."""
    sample: Json | None = None
    """A request for the OpenAPI page, after the platform's own."""

    def application(self, request: Json) -> str | None:
        """The application that the request names, if it names one."""
        value = request.get("applicationId")
        return value if isinstance(value, str) and value else None


SAMPLE_USER: Json = {
    "assignedGroups": [],
    "provisionedApps": {},
    "securityQuestion": {},
    "country": "India",
    "firstName": "Shreyash2",
    "lastName": "Pande2",
    "login": "shreyash2",
    "userType": "Employee",
}
"""The user of the platform's page (seed/webhooks.txt)."""

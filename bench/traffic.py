"""What the platform sends, built before the clock starts: tokens, bodies and raw HTTP requests."""

import json
import random
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import jwt

TENANT = "as100"
APPLICATIONS = ("crm", "hr", "erp")
"""What every joiner of a storm gets; each costs policyMap, preProvision and postProvision."""
HOOKS_PER_JOINER = 3 + 3 * len(APPLICATIONS)

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a story: sent `pause` seconds after the answer to the one before."""

    hook: str
    request: bytes
    pause: float = 0.0


Story = list[Step]


class Tokens:
    """Every other token is fresh, never seen before; the rest come from a small pool, as of a session."""

    def __init__(self, secret: str, *, tenant: str = TENANT, pool: int = 20) -> None:
        self._secret = secret
        self._tenant = tenant
        self._turn = 0
        self._pool = cycle([self.fresh() for _ in range(pool)])

    def fresh(self) -> str:
        """A token of the page's claims (CONTRACT B1 1.3) with a random user id."""
        now = int(time.time())
        claims = {
            "sub": "admin",
            "delegatee": None,
            "delegateeId": None,
            "firstLogin": False,
            "roles": ["ORG_ADMIN", "USER"],
            "tenantId": self._tenant,
            "exp": now + 6000,
            "userId": secrets.token_hex(12),
            "iat": now,
        }
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def next(self) -> str:
        """Fresh and re-used in turn."""
        self._turn += 1
        return self.fresh() if self._turn % 2 else next(self._pool)


def person(seed: int, n: int) -> Body:
    """Somebody new: login, e-mail and mobile are unique for every seed (< 1000) and n (< 1 000 000)."""
    name = f"j{seed}x{n}"
    return {
        "assignedGroups": [],
        "provisionedApps": {},
        "securityQuestion": {},
        "country": "India",
        "firstName": "Example",
        "lastName": name,
        "displayName": f"Example {name}",
        "login": name,
        "email": f"{name}@Example.com",
        "mobile": f"9{seed % 1000:03d}{n:06d}",
        "userType": "Employee",
        "department": "Engineering",
        "designation": "Engineer",
        "employeeId": f"E{seed}.{n}",
        "status": "ACTIVE",
        "attributes": {"costCenter": "4711", "badge": f"B{seed}-{n}"},
    }


def validate_user(user: Body) -> Body:
    """A request of validateUser, and of the other hooks that carry only the user."""
    return {"request": {"user": user}}


def policy_map(user: Body, application: str = "crm") -> Body:
    """A request of policyMap, with the platform's own spelling."""
    return {
        "request": {
            "targetAttribute": "email",
            "cymmetrifield": "email",
            "defaultValue": "example@example.com",
            "formVeriable": "",
            "applicationId": application,
            "user": user,
        }
    }


def pre_provision(user: Body, application: str = "crm") -> Body:
    """A request of preProvision."""
    return {
        "request": {
            "policyMap": "email",
            "form": "",
            "applicationId": application,
            "roleList": [],
            "action": "Application Create",
            "user": user,
        }
    }


def post_provision(user: Body, application: str = "crm") -> Body:
    """A request of postProvision."""
    body = pre_provision(user, application)
    body["request"] |= {"isSuccess": True, "uid": f"{application}-{user['login']}"}
    return body


def joiner(user: Body) -> list[tuple[str, Body]]:
    """The hooks of one person who joins, in the platform's order."""
    hooks = [(name, validate_user(user)) for name in ("validateUser", "preCreateUser", "postCreateUser")]
    for application in APPLICATIONS:
        hooks.append(("policyMap", policy_map(user, application)))
        hooks.append(("preProvision", pre_provision(user, application)))
        hooks.append(("postProvision", post_provision(user, application)))
    return hooks


SINGLE = {"validateUser": validate_user, "postProvision": post_provision, "policyMap": policy_map}


def singles(
    hook: str, count: int, *, port: int, tokens: Tokens, seed: int, pause: float = 0.0
) -> list[Story]:
    """`count` stories of one request each, every one about somebody new."""
    build = SINGLE[hook]
    return [
        [Step(hook, raw_request(port, hook, tokens.next(), build(person(seed, n))), pause)]
        for n in range(count)
    ]


def storm(
    users: int, *, port: int, tokens: Tokens, seed: int, gap: tuple[float, float] | None
) -> list[Story]:
    """A story of twelve hooks for each of `users` joiners, with pauses between the bounds of `gap` (s)."""
    pauses = _pauses(random.Random(seed), gap)
    return [
        [
            Step(hook, raw_request(port, hook, tokens.next(), body), next(pauses) if i else 0.0)
            for i, (hook, body) in enumerate(joiner(person(seed, n)))
        ]
        for n in range(users)
    ]


def raw_request(port: int, hook: str, token: str, body: Body) -> bytes:
    """One HTTP/1.1 request, ready to be written to a kept connection."""
    content = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST /webhook/{hook} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\n"
        "Accept: */*\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def _pauses(source: random.Random, gap: tuple[float, float] | None) -> Iterator[float]:
    while True:
        yield source.uniform(*gap) if gap else 0.0

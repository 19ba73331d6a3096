"""The story: every hook, everything that goes wrong, and everybody who asks; each with sentinels in all that is sent."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt

from leakscan.sentinels import Sentinels
from leakscan.stack import ScanError, Stack

Json = dict[str, Any]


@dataclass
class Told:
    """What was sent and what came back. `answers`: bodies and headers that the wrong people got, or errors."""

    sentinels: Sentinels
    answers: dict[str, bytes] = field(default_factory=dict[str, bytes])
    right: int = 0
    """Hooks that were answered well: a story in which all was refused shows nothing."""
    logins: list[str] = field(default_factory=list[str])

    def note(self, place: str, answer: httpx.Response) -> None:
        """Keeps an answer to be looked through."""
        self.answers[f"{place} #{len(self.answers)}"] = octets(answer)


def octets(answer: httpx.Response) -> bytes:
    """Headers and body."""
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    return head.encode() + b"\n\n" + answer.content


class Teller:
    """Sends hooks as the platform does."""

    def __init__(self, stack: Stack, told: Told) -> None:
        self._stack, self._told = stack, told
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{stack.api_port}/webhook/", timeout=10, trust_env=False
        )

    def close(self) -> None:
        """Hangs up."""
        self._http.close()

    def token(self, tenant: str = "first", **claims: Any) -> str:
        """A token whose signature, and whose every claim that names somebody, is a sentinel."""
        sentinels = self._told.sentinels
        secret = (self._stack.home / f"{tenant}.key").read_text()
        now = int(time.time())
        said = {
            "sub": sentinels.personal("who asked"),
            "delegatee": sentinels.personal("on whose behalf"),
            "tenantId": tenant,
            "iat": now,
            "exp": now + 300,
            "scope": sentinels.secret("a claim of the token"),
        }
        made = jwt.encode(said | claims, secret, algorithm="HS256")
        head, payload, signature = made.split(".")
        sentinels.remember("a token's claims", payload[:60], secret=True)
        sentinels.remember("a token's signature", signature, secret=True)
        del head
        return made

    def hook(self, name: str, request: Json, token: str | None = None) -> httpx.Response:
        """A hook that must be answered well."""
        headers = {"authorization": f"Bearer {token or self.token()}"}
        answer = self._http.post(name, json={"request": request}, headers=headers)
        if answer.status_code != 200:
            raise ScanError(f"{name} was answered {answer.status_code}")
        self._told.right += 1
        return answer

    def wrong(
        self, place: str, name: str, content: bytes, headers: Mapping[str, str], at_most: int = 499
    ) -> None:
        """A call that must be turned away."""
        answer = self._http.post(name, content=content, headers=dict(headers))
        if not 400 <= answer.status_code <= at_most:
            raise ScanError(f"{place}: answered {answer.status_code}")
        self._told.note(f"HTTP {answer.status_code}, {place}", answer)

    def person(self) -> Json:
        """A person of whom everything is a sentinel, passwords in the places where the platform has them."""
        sentinels = self._told.sentinels
        login = sentinels.personal("login")
        self._told.logins.append(login)
        return {
            "id": sentinels.personal("platform id"),
            "login": login,
            "firstName": sentinels.personal("first name"),
            "lastName": sentinels.personal("last name"),
            "displayName": sentinels.personal("display name", "ड़ {} é"),
            "email": sentinels.personal("e-mail", "{}@example.com"),
            "employeeId": sentinels.personal("employee id"),
            "country": "India",
            "userType": "Employee",
            "password": sentinels.secret("password of the user"),
            "securityQuestion": {"What was it?": sentinels.secret("security answer")},
            "attributes": {
                "wish": sentinels.personal("custom attribute"),
                "api_key": sentinels.secret("an attribute's key"),
            },
            "provisionedApps": {
                "app": {
                    "login": {
                        "login": sentinels.personal("login there"),
                        "password": sentinels.secret("password there"),
                    }
                }
            },
        }

    def life(self) -> Json:
        """All hooks of one person's life."""
        sentinels, user = self._told.sentinels, self.person()
        self.hook("test", {})
        for name in (
            "validateUser",
            "preCreateUser",
            "postCreateUser",
            "validateUpdateUser",
            "preUpdateUser",
            "postUpdateUser",
        ):
            self.hook(name, {"user": user})
        self.hook("changePassword", {"user": user, "passwordText": sentinels.secret("new password")})
        asked = {
            "targetAttribute": "__PASSWORD__",
            "cymmetrifield": "password",
            "formVeriable": "",
            "user": user,
        }
        self.hook("policyMap", asked | {"defaultValue": sentinels.secret("default password")})
        order = {
            "applicationId": "app",
            "action": "Application Create",
            "policyMap": [{"name": "__PASSWORD__", "value": sentinels.secret("mapped password")}],
            "form": {"pin": sentinels.secret("pin in a form")},
            "roleList": [],
            "user": user,
        }
        self.hook("preProvision", order)
        self.hook("postProvision", order | {"isSuccess": True, "uid": sentinels.personal("account's uid")})
        self.hook("runDeprovision", {"user": user})
        self.hook("aHookOfTomorrow", {"user": user, "accessToken": sentinels.secret("token in a body")})
        return user

    def mistakes(self) -> None:
        """Calls that are turned away, each with something in it."""
        sentinels = self._told.sentinels
        good = {"authorization": f"Bearer {self.token()}", "content-type": "application/json"}
        name, secret = sentinels.personal("name in a bad body"), sentinels.secret("password in a bad body")
        password = json.dumps(secret)
        body = f'{{"request":{{"user":{{"login":"{name}"}},"passwordText":{password}'.encode()
        self.wrong("body cut short", "changePassword", body, good)
        self.wrong("no user", "changePassword", f'{{"request":{{"passwordText":{password}}}}}'.encode(), good)
        self.wrong("a name twice", "postCreateUser", body + f',"passwordText":{password}}}}}'.encode(), good)
        self.wrong("not UTF-8", "postCreateUser", body + b'\xff"}}', good)
        self.wrong("too deep", "postCreateUser", body + b',"a":' + b"[" * 90 + b"]" * 90 + b"}}", good)
        self.wrong("too large", "postCreateUser", body + b',"a":"' + b"x" * 1_100_000 + b'"}}', good)
        said = sentinels.plain("secret in a header")
        self.wrong("not JSON", "postCreateUser", body, good | {"content-type": f"text/plain; x={said}"})
        whole = body + b"}}"
        json_type = {"content-type": "application/json"}
        self.wrong("no token", "changePassword", whole, json_type)
        lies: list[tuple[str, Json]] = [
            ("expired", {"exp": 1}),
            ("another tenant", {"tenantId": sentinels.personal("unknown tenant")}),
            ("no such claim", {"exp": sentinels.secret("expiry that is none")}),
        ]
        for place, claims in lies:
            self.wrong(
                place,
                "changePassword",
                whole,
                json_type | {"authorization": f"Bearer {self.token(**claims)}"},
            )
        self.wrong(
            "no JWT",
            "changePassword",
            whole,
            json_type | {"authorization": f"Bearer {sentinels.plain('nonsense')}"},
        )
        self.wrong(
            "another scheme",
            "test",
            b"{}",
            json_type | {"authorization": f"Basic {sentinels.plain('basic')}"},
        )
        self.wrong(
            "forged", "test", b"{}", json_type | {"authorization": f"Bearer {self.token()[:-8]}AAAAAAAA"}
        )
        answer = self._http.post(
            "test",
            params={"access_token": sentinels.secret("token in the address")},
            content=b"{}",
            headers=json_type,
        )
        self._told.note("HTTP, token in the address", answer)
        for method in ("GET", "PUT", "DELETE"):
            self._told.note(f"HTTP {method}", self._http.request(method, "changePassword", headers=good))


def askers(stack: Stack, told: Told, user: Json) -> None:
    """Pages and calls of those who may not see: nobody, somebody with a bad key, another tenant's auditor and operator."""
    sentinels = told.sentinels
    theirs = {
        role: sentinels.remember(f"key of {role}", stack.key(role, "second"), secret=True)
        for role in ("auditor", "operator")
    }
    ours = sentinels.remember("key of the right auditor", stack.key("auditor", "first"), secret=True)
    paths = [
        f"/ledger/person?user={user['login']}",
        f"/ledger/person?user={user['id']}",
        f"/ledger/entries?user={user['login']}",
        "/ledger/entries",
        "/ledger/failures",
        "/ledger/decisions",
        "/ledger/who-had?application=app",
        "/ledger/totals",
        "/ledger/deeds",
        "/ledger/nothing-of-the-kind",
        "/console",
        "/console/questions/entries",
        "/console/failures",
        "/ledger/openapi.json",
    ]
    shown = 0
    with httpx.Client(base_url=f"http://127.0.0.1:{stack.query_port}", timeout=20, trust_env=False) as http:
        for path in paths:
            told.note("page for nobody", http.get(path))
            told.note(
                "page for a bad key",
                http.get(path, headers={"authorization": f"Bearer {sentinels.plain('bad key')}"}),
            )
            for role, key in theirs.items():
                page = http.get(path, headers={"authorization": f"Bearer {key}"})
                shown += page.status_code == 200
                told.note(f"page for the other tenant's {role}", page)
        if not shown:
            raise ScanError(
                "no page at all was shown to the other tenant: that they saw nothing shows nothing"
            )
        good = http.get("/ledger/entries?limit=50", headers={"authorization": f"Bearer {ours}"})
        if good.status_code != 200 or not good.json()["rows"]:
            raise ScanError(f"the right auditor was answered {good.status_code}, or without rows")
        told.note(
            "HTTP, bad parameters", http.get("/ledger/person", headers={"authorization": f"Bearer {ours}"})
        )
        wrong = {"user": sentinels.personal("a name asked for"), "limit": sentinels.secret("no number")}
        told.note(
            "HTTP, bad limit",
            http.get("/ledger/person", params=wrong, headers={"authorization": f"Bearer {ours}"}),
        )
        form = http.get("/console/sign-in")
        proof = re.search(r'name="proof" value="([0-9a-f]+)"', form.text)
        if proof is None:
            raise ScanError("the console's form of signing in has changed")
        given = {"proof": proof[1], "key": theirs["operator"], "next": "/console"}
        signed = http.post("/console/sign-in", data=given)
        if signed.status_code not in (302, 303):
            raise ScanError(f"signing in was answered {signed.status_code}")
        told.note("signing in with the other tenant's key", signed)
        for path in paths:
            if path.startswith("/console"):
                told.note("console of the other tenant", http.get(path))

"""Random deliveries that quarrel about a few values: what decides about them must decide alike."""

import random
from datetime import timedelta
from typing import Any
from uuid import uuid4

from ledger.receive import Delivery, Fact, Person, Stem, Wish

_LOGINS = ("asha", "bina", "chitra", "devi", "esha.rao")
_IDS = (None, None, "6214a1", "6214a2", "6214a3")
_MAILS = tuple(f"m{n}@example.com" for n in range(5)) + tuple(f"esha.rao{n}@example.com" for n in ("", 2, 3))
_HOOKS: dict[str, dict[str, Any]] = {
    "validateUser": {"verdict": "passed", "creates": True, "check": "create", "hold": timedelta(minutes=10)},
    "preCreateUser": {
        "verdict": "answered",
        "creates": True,
        "check": "create",
        "hold": timedelta(minutes=10),
    },
    "validateUpdateUser": {"verdict": "passed", "check": "update", "hold": timedelta(minutes=10)},
    "preUpdateUser": {"verdict": "answered", "check": "update", "hold": timedelta(minutes=10)},
    "postCreateUser": {"verdict": "received", "creates": True, "fact": True},
    "postUpdateUser": {"verdict": "received", "fact": True},
    "runDeprovision": {"verdict": "deprovision", "brake": 3},
}


def quarrel(chance: random.Random, tenant: str) -> Delivery:
    """One delivery of a few people with a few values, names and ids."""
    hook = chance.choice(list(_HOOKS))
    more = dict(_HOOKS[hook])
    login = chance.choice(_LOGINS)
    wishes: list[Wish] = []
    if hook in ("validateUser", "preCreateUser") and chance.random() < 0.5:
        wishes.append(_wish(chance))
    if wishes and wishes[0].attribute == "login":
        login = f"asked for: {wishes[0].person}"
    if "fact" in more:
        left = chance.random() < 0.3
        more["identity"] = Fact(
            "DELETE" if left else "ACTIVE",
            left,
            left and chance.random() < 0.3,
            chance.choice((None, None, 1, 2)),
            chance.choice((None, None, "2026-01-01", "2026-01-02")),
        )
    values = {("email", chance.choice(_MAILS)), ("login", login), ("mobile", f"+9198{chance.randrange(4)}")}
    values = {v for v in values if chance.random() < 0.8 and v[0] not in {w.attribute for w in wishes}}
    if more["verdict"] == "passed" and chance.random() < 0.2:
        more |= {"verdict": "refused", "codes": ["rule:some"]}
    return Delivery(
        id=uuid4(), tenant=tenant, hook=hook, body="{}", actor="tester", acting_for=None, code_version="test",
        rules_hash="test", person=Person(login, chance.choice(_IDS), uuid4(), f"w:{uuid4()}"),
        values=sorted(values) if "check" in more or "fact" in more else (), wishes=wishes,
        shadowed=["mobile"] if "check" in more and chance.random() < 0.3 else (),
        release=timedelta(days=chance.choice((0, 0, 30))), **more,
    )  # fmt: skip


def _wish(chance: random.Random) -> Wish:
    if chance.random() < 0.4:
        stems = (Stem("esha", "", "esha", ""), Stem("esha.rao", "", "esha.rao", ""))
        return Wish("names", "login", stems[chance.randrange(2) :], f"E{chance.randrange(4)}")
    stem = Stem("Esha.Rao", "@example.com", "esha.rao", "@example.com")
    return Wish("mails", "email", (stem,), chance.choice((None, None, "E1")))

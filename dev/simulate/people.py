"""The fictional people of a run, all from its seed."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

APPLICATIONS = tuple(f"66aa0000000000000000000{n}" for n in range(1, 6))
"""The tenant's applications: the same for everybody, as in life."""

TARGETS: dict[str, str] = {
    "mail": "email",
    "sAMAccountName": "login",
    "cn": "displayName",
    "givenName": "firstName",
    "sn": "lastName",
    "telephoneNumber": "mobile",
    "departmentNumber": "department",
    "employeeNumber": "employeeId",
}
"""Attributes of a target and the platform's field each is mapped from (CONTRACT B4)."""

_SLOTS_PER_SEED = 20_000
_MOBILES_FROM = 6_000_000_000
_RIVALS_MOBILE, _STRANGERS_SLOT, _FIRST_SLOT = 0, 1, 10
_FIRST_NAMES = ("Asha", "José", "अनीता", "Zoë", "Łucja", "Jose\u0301", "தமிழ்", "O’Example", "Ravi", "美咲")
_LAST_NAMES = ("Example", "Beispiel", "उदाहरण", "Ejemplo", "Exemple-Vzor", "Пример", "例")
_DEPARTMENTS = ("Finance", "Sales", "Operations", "Legal", "Research & Development", "मानव संसाधन")
_DESIGNATIONS = ("Analyst", "Lead", "Associate", "Manager")
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class Person:
    """One record of the platform. Logins, e-mails and mobiles never meet those of another person or seed."""

    number: int
    platform_id: str
    login: str
    first_name: str
    last_name: str
    email: str
    mobile: str
    employee_id: str
    department: str
    next_department: str
    designation: str
    country_code: bool
    attributes: dict[str, Any] | list[dict[str, str]]
    maps: tuple[tuple[str, tuple[str, ...]], ...]
    """Per application, the target attributes that are asked of policyMap."""
    password: str


def person(seed: int, number: int) -> Person:
    """The joiner with this number, the same in every run of the seed."""
    random = Random(f"{seed}:{number}")
    first = random.choice(_FIRST_NAMES)
    department, following = random.sample(_DEPARTMENTS, 2)
    login = f"user{number}.s{seed}"
    return Person(
        number=number,
        platform_id=_platform_id(seed, number),
        login=login,
        first_name=first,
        last_name=random.choice(_LAST_NAMES),
        email=f"{login}@example.com",
        mobile=_mobile(seed, _FIRST_SLOT + 2 * number),
        employee_id=f"E{seed}.{number}",
        department=department,
        next_department=following,
        designation=random.choice(_DESIGNATIONS),
        country_code=random.random() < 0.5,
        attributes=_attributes(random),
        maps=tuple(
            (application, tuple(random.sample(sorted(TARGETS), random.choice((2, 3)))))
            for application in APPLICATIONS
        ),
        password="Pw-" + "".join(random.choices(_ALPHABET, k=17)),
    )


def rehired(seed: int, leaver: Person) -> Person:
    """The same person back as a new record: another platform id, login, e-mail and mobile."""
    login = f"user{leaver.number}.back.s{seed}"
    return replace(
        leaver,
        platform_id=_platform_id(seed, leaver.number, record=1),
        login=login,
        email=f"{login}@example.org",
        mobile=_mobile(seed, _FIRST_SLOT + 2 * leaver.number + 1),
        employee_id=f"{leaver.employee_id}.2",
    )


def rivals(seed: int) -> tuple[Person, Person]:
    """Two people who ask for one mobile, each in a spelling of their own."""
    mobile = _mobile(seed, _RIVALS_MOBILE)
    return (
        _outsider(seed, "rival1", 2, mobile),
        _outsider(seed, "rival2", 3, f"+91 {mobile[:5]}-{mobile[5:]}"),
    )


def stranger(seed: int, salt: str) -> Person:
    """Somebody no earlier run can have told of: `salt` is fresh in each."""
    return _outsider(seed, f"stranger.{salt}", 4, _mobile(seed, _STRANGERS_SLOT))


def _outsider(seed: int, name: str, record: int, mobile: str) -> Person:
    login = f"{name}.s{seed}"
    return replace(
        person(seed, 0),
        platform_id=_platform_id(seed, 0, record),
        login=login,
        email=f"{login}@example.com",
        mobile=mobile,
        employee_id=f"E{seed}.{name}",
    )


def _platform_id(seed: int, number: int, record: int = 0) -> str:
    """24 hex digits, like the platform's Mongo ids."""
    return f"66bb{seed:08x}{record:02x}{number:010x}"


def _mobile(seed: int, slot: int) -> str:
    """Ten digits from 6000000000 on: Indian mobiles, of which each seed owns a block."""
    return str(_MOBILES_FROM + seed * _SLOTS_PER_SEED + slot)


def _attributes(random: Random) -> dict[str, Any] | list[dict[str, str]]:
    """Custom attributes as a map of mixed types, or as the list that the console reads (CONTRACT B2)."""
    centre = f"CC-{random.randrange(10, 99)}"
    if random.random() < 0.2:
        return [{"name": "costCentre", "value": centre}, {"name": "कार्यालय", "value": "पुणे"}]
    return {
        "costCentre": centre,
        "कार्यालय": "पुणे",
        "badge": f"{random.randrange(10**6):06d}",
        "level": random.randrange(1, 9),
        "ratio": random.choice((0.25, 1.0, 1e-7)),
        "wide": 9_007_199_254_740_993,
        "remote": random.random() < 0.5,
        "nothing": None,
        "empty": "",
        "memberOf": ["staff", "🌱 garden"],
        "desk": {"floor": 3, "zone": {"name": "Ω"}},
    }

"""Two tenants on one store: every step that either can take, on its own and on what is the other's."""

import zipfile
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

import settings as configuration
from api.query.app import make_query_app
from hooks import by_name
from ledger.engine import Pool
from ledger.keys import Key
from ledger.note import signer_of
from ledger.questions import questions
from ledger.seal import seal, sealing
from settings import Settings, Store
from settings.query import Role
from tests.api.edge import Edge
from tests.api.edge import listen as listen_to_hooks
from tests.api.query.asking import Desk, configure, listen, make
from tests.support import rows

OTHER = {"as100": "as200", "as200": "as100"}
ROLES: tuple[Role, ...] = ("auditor", "operator", "admin")
HOOKS = sorted(hook.name for hook in by_name().values())
QUESTIONS = sorted(questions())
MEDIA = ("application/json", "application/x-ndjson", "text/csv")
LISTS = ("/ledger", "/ledger/keys", "/ledger/requests")
ERASURES = ("show", "plan", "withdraw", "erase")
_APPLICATION = "620231fee789224ec1cec3dd"
"""That of the hooks' samples."""
PEOPLE = 3
"""Whom both tenants know from the beginning."""

_MORE = """
rate = 1000
burst = 1000
concurrent = 50
[ledger]
legal_floor = "0d"
[ledger.seal]
origin = "example.com/two"
keys = [{ name = "first", secret = { file = "seal.key" } }]
[ledger.erasures]
folder = "erasures"
"""
_FOUR_EYES = {"as100": "bulk redrive", "as200": "brake release"}

_WITH_TENANT = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND a.attname = 'tenant' AND NOT a.attisdropped ORDER BY 1
"""
_IDS = """
SELECT 'person' AS kind, id::text FROM subjects WHERE tenant = $1
UNION SELECT 'delivery', id::text FROM deliveries WHERE tenant = $1
UNION SELECT CASE WHEN settled_at IS NULL THEN 'open' ELSE 'ended' END, delivery::text FROM work WHERE tenant = $1
UNION SELECT 'key', id FROM keys WHERE tenant = $1
UNION SELECT 'request', id::text FROM deed_requests WHERE tenant = $1 AND closed_at IS NULL
UNION SELECT 'hold', id::text FROM legal_holds WHERE tenant = $1 AND released_at IS NULL
UNION SELECT 'certificate', id::text FROM erasures WHERE tenant = $1
ORDER BY 1, 2
"""
_KINDS = {
    "redrive": "ended",
    "skip": "open",
    "approve": "request",
    "reject": "request",
    "revoke": "key",
    "release": "hold",
    "certificate": "certificate",
}
"""What a deed is done to, where that is not a person."""

_BY_OPERATORS = ("redrive", "skip", "redrive-all", "brake")

Step = tuple[str, str, int, int, int]
"""What is done, by which tenant, and three numbers: whose it is done to (odd: their own), which of it, and how."""
DEEDS = (*_KINDS, "redrive-all", "brake", "key", "erase", "hold", "list", "pack")


def mark(tenant: str) -> str:
    """Stands in all that the tenant sends."""
    return f"mark-of-{tenant}"


def text_of(answer: httpx.Response) -> str:
    """All that an answer says; of an archive, the names and contents of its files."""
    if answer.headers.get("content-type") != "application/zip":
        return answer.text
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        return "\n".join(f"{name}\n{archive.read(name).decode()}" for name in archive.namelist())


@dataclass
class Both:
    """Both listeners on one store, the keys of each tenant, and the store itself past everything."""

    edge: Edge
    desk: Desk
    root: Pool
    keys: Mapping[tuple[str, Role], str]
    kept: Collection[str]
    """Ids of these keys: no tenant revokes its own, else nothing could be asked any more."""
    tables: Sequence[str]
    more: Iterator[int] = field(default_factory=lambda: count(PEOPLE))
    succeeded: defaultdict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """By tenant, which calls of its own were answered 200: method and path."""

    async def digest(self, tenant: str) -> dict[str, Any]:
        """All that is stored of a tenant, by table."""
        found = {
            table: await self.root.fetchval(
                f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t WHERE tenant = $1",
                tenant,
            )
            for table in self.tables
        }
        bodies = "SELECT md5(string_agg(b::text, '|' ORDER BY b.delivery)) FROM bodies b JOIN deliveries d ON d.id = b.delivery"
        return found | {"bodies": await self.root.fetchval(f"{bodies} WHERE d.tenant = $1", tenant)}

    async def ids(self, tenant: str) -> Mapping[str, list[str]]:
        """What names something of a tenant, by kind and in one order."""
        found = defaultdict[str, list[str]](list)
        for row in await rows(self.root, _IDS, tenant):
            found[row["kind"]].append(row["id"])
        return found

    async def fill(self, tenant: str, person: int | None = None) -> None:
        """Each hook once about a person, somebody new unless it says who; then work goes wrong."""
        person = next(self.more) if person is None else person
        for which in range(len(HOOKS)):
            answer = await self.hook(tenant, which, person, f"fill-{which}-{person}")
            assert answer.status_code == 200, answer.text
        await self.go_wrong(tenant)

    async def go_wrong(self, tenant: str) -> None:
        """Some open work fails, as a worker would end it, and the brake goes on."""
        await self.root.execute(
            "UPDATE work SET settled_at = now(), state = 'settled', outcome = 'failed' "
            "WHERE tenant = $1 AND settled_at IS NULL AND seq % 2 = 0",
            tenant,
        )
        await self.root.execute(
            "INSERT INTO brakes (tenant, stopped_at) VALUES ($1, now()) "
            "ON CONFLICT (tenant) DO UPDATE SET stopped_at = now(), released_at = NULL",
            tenant,
        )

    async def take(self, step: Step) -> tuple[httpx.Response, Collection[str]]:
        """Takes a step; the answer, and what of the other tenant was said by who asked."""
        deed, tenant, first, second, third = step
        if deed == "hook":
            answer = await self.hook(tenant, second, third % PEOPLE, f"{second}-{third}")
            if first % 3 == 0:
                await self.go_wrong(tenant)
            return answer, ()
        whose = tenant if first % 2 else OTHER[tenant]
        known = (await self.ids(whose))[_KINDS.get(deed, "person")]
        if deed == "revoke" and whose == tenant:
            known = [key for key in known if key not in self.kept]
        chosen = known[second % len(known)] if known else str(uuid4())
        answer = await self._call(deed, tenant, whose, chosen, second, third)
        if whose == tenant and answer.status_code == 200:
            self.succeeded[tenant].add((answer.request.method, answer.request.url.path))
        return answer, (chosen,)

    async def _call(
        self, deed: str, tenant: str, whose: str, chosen: str, which: int, how: int
    ) -> httpx.Response:
        admin, auditor = self.keys[tenant, "admin"], self.keys[tenant, "auditor"]
        match deed:
            case "ask":
                return await self._ask(tenant, whose, chosen, which, how)
            case "pack":
                return await self._pack(auditor, whose, chosen, how)
            case "list":
                return await self.desk.get(LISTS[how % len(LISTS)], admin)
            case "certificate":
                return await self.desk.get("/ledger/certificates", auditor, certificate=chosen)
            case _:
                # Who makes a request is not who approves it.
                bearer = self.keys[tenant, "operator"] if deed in _BY_OPERATORS else admin
                path, body = await self._deed(deed, whose, chosen, how)
                return await self.desk.post(f"/ledger/{path}", bearer, **body, reason=mark(tenant))

    async def _deed(self, deed: str, whose: str, chosen: str, how: int) -> tuple[str, Mapping[str, Any]]:
        about = {"tenant": whose, "person": chosen}
        match deed:
            case "redrive" | "skip":
                return f"work/{deed}", {"delivery": chosen}
            case "redrive-all":
                return "work/redrive-all", {"tenant": whose} | ({"counted": 10_000} if how % 2 else {})
            case "brake":
                return "brake/release", {"tenant": whose}
            case "approve" | "reject":
                return f"requests/{deed}", {"request": chosen}
            case "key":
                return "keys", {"tenant": whose, "role": ROLES[how % len(ROLES)], "label": "x"}
            case "revoke":
                return "keys/revoke", {"key": chosen}
            case "hold":
                return "holds", about
            case "release":
                held = await self.root.fetchval(
                    "SELECT subject::text FROM legal_holds WHERE id::text = $1", chosen
                )
                return "holds", about | {"person": held or chosen, "release": chosen}
            case "erase":
                return "erasures", about | {
                    "do": ERASURES[how % len(ERASURES)],
                    "skip_work": True,
                    "anyway": True,
                }
            case _:
                raise AssertionError(f"no such deed: {deed}")

    async def hook(self, tenant: str, which: int, person: int, id_: str) -> httpx.Response:
        """One of the tenant's, about one of the people who are called alike in both."""
        hook = by_name()[HOOKS[which % len(HOOKS)].lower()]
        user = {
            "id": f"66aa{person:020d}",
            "login": f"shared{person}",
            "email": f"shared{person}@example.com",
            "mobile": f"98765{person:05d}",
            "country": "India",
            "displayName": mark(tenant),
            "status": "ACTIVE",
        }
        if hook.creates and not hook.fact:
            del user["id"]
        request = {**(hook.sample or {}), "user": user, "note": mark(tenant)}
        return await self.edge.hook(hook.name, request, tenant, webhook_id=id_)

    async def _ask(self, tenant: str, whose: str, person: str, which: int, how: int) -> httpx.Response:
        """`how` has a digit for each choice: medium, method, whether the tenant is named, how the person is, the role."""
        medium, how = MEDIA[how % 3], how // 3
        by_post, named, by_login, role = how % 2, how // 2 % 2, how // 4 % 2, ROLES[how // 8 % 3]
        question = QUESTIONS[which % len(QUESTIONS)]
        values = {
            "tenant": whose,
            "person": f"shared{which % PEOPLE}" if by_login else person,
            "period": f"{datetime.now(UTC):%Y}",
            "on": f"{datetime.now(UTC):%Y-%m-%d}",
            "application": _APPLICATION,
        }
        wanted = questions()[question].parameters.model_fields
        given = {
            name: value
            for name, value in values.items()
            if (named if name == "tenant" else name in wanted and wanted[name].is_required())
        }
        path, bearer = f"/ledger/{question}", self.keys[tenant, role]
        if not by_post:
            return await self.desk.get(path, bearer, accept=medium, **given)
        headers = {"Authorization": f"Bearer {bearer}", "Accept": medium}
        return await self.desk.http.post(path, headers=headers, json=given)

    async def _pack(self, bearer: str, whose: str, person: str, how: int) -> httpx.Response:
        """Of a ledger sealed just before, with all bodies; `how` has a digit for each choice."""
        by_post, one, named = how % 2, how // 2 % 2, how // 4 % 2
        await self._seal()
        given = {"bodies": "true"}
        given |= {"person": person} if one else {}
        given |= {"tenant": whose} if named else {}
        ask = self.desk.post if by_post else self.desk.get
        return await ask("/ledger/pack", bearer, **given)

    async def _seal(self) -> None:
        settings = self.desk.settings
        signer = signer_of(settings.ledger.seal)
        assert signer is not None
        async with sealing(settings.store) as connection:
            while (await seal(connection, signer, [signer.verifier])).full:
                pass


@asynccontextmanager
async def both_on(store: Store, directory: Path, root: Pool) -> AsyncGenerator[Both]:
    """Both tenants, each with people and with work that went wrong. as100 wants four eyes to redrive, as200 at the brake."""
    settings = _configured(directory, store)
    async with listen_to_hooks(settings) as edge, listen(settings) as desk:
        made: dict[tuple[str, Role], tuple[str, Key]] = {
            (tenant, role): await make(settings, role, tenant, reason=mark(tenant))
            for tenant in OTHER
            for role in ROLES
        }
        keys = {who: text for who, (text, _) in made.items()}
        kept = {key.id for _, key in made.values()}
        tables = [row["relname"] for row in await rows(root, _WITH_TENANT)]
        both = Both(edge, desk, root, keys, kept, tables)
        for tenant in OTHER:
            for person in range(PEOPLE):
                await both.fill(tenant, person)
        yield both


def _configured(directory: Path, store: Store) -> Settings:
    (directory / "seal.key").write_text(urlsafe_b64encode(bytes(range(32))).decode().rstrip("="))
    configure(directory, store, _MORE)
    file = directory / "hookledger.toml"
    text = file.read_text()
    assert "[tenants.as200]" not in text
    text = text.replace("[tenants.as200.token]", "[tenants.as200]\n[tenants.as200.token]", 1)
    for tenant, deed in _FOUR_EYES.items():
        text = text.replace(f"[tenants.{tenant}]\n", f'[tenants.{tenant}]\nfour_eyes = ["{deed}"]\n', 1)
    file.write_text(text)
    return configuration.load(file)


def calls_of(settings: Settings) -> set[tuple[str, str]]:
    """Method and path of all that the listener answers about a tenant's ledger."""
    paths: Mapping[str, Mapping[str, Any]] = make_query_app(settings).openapi()["paths"]
    return {(method.upper(), path) for path, ways in paths.items() for method in ways}

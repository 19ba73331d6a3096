"""Whatever two tenants send, ask, export and do, in whatever order: no bit crosses over."""

from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from hooks import by_name
from ledger.engine import Pool, open_pool
from ledger.questions import questions
from settings import Store
from settings.query import Role
from tests.api.edge import Edge
from tests.api.edge import listen as listen_to_hooks
from tests.api.query.asking import Desk, configure, listen, make
from tests.commands.databases import database
from tests.conftest import TEMPLATE
from tests.support import Servers, rows

OTHER = {"as100": "as200", "as200": "as100"}
ROLES: tuple[Role, ...] = ("auditor", "operator", "admin")
HOOKS = sorted(hook.name for hook in by_name().values())
QUESTIONS = sorted(questions())
MEDIA = ("application/json", "application/x-ndjson", "text/csv")
_WITH_TENANT = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND a.attname = 'tenant' AND NOT a.attisdropped ORDER BY 1
"""
_IDS = """
SELECT id::text FROM subjects WHERE tenant = $1 UNION SELECT id::text FROM deliveries WHERE tenant = $1
UNION SELECT id FROM keys WHERE tenant = $1
"""

_MORE = """
rate = 1000
burst = 1000
concurrent = 50
[ledger.seal]
origin = "example.com/two"
keys = [{ name = "first", secret = { file = "seal.key" } }]
[ledger.erasures]
folder = "erasures"
"""

Step = tuple[str, str, int, int, int]
"""What is done, by which tenant, and three numbers that choose among what there is."""
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["hook", "hook", "ask", "ask", "work", "work", "brake", "key", "revoke", "erase", "hold"]
        ),
        st.sampled_from(sorted(OTHER)),
        st.integers(0, 1_000),
        st.integers(0, 1_000),
        st.integers(0, 1_000),
    ),
    min_size=4,
    max_size=12,
)


def _mark(tenant: str) -> str:
    return f"mark-of-{tenant}"


@dataclass
class Both:
    """Both listeners on one store, the keys of each tenant, and the store itself past everything."""

    edge: Edge
    desk: Desk
    root: Pool
    keys: dict[tuple[str, Role], str]
    tables: list[str] = field(default_factory=list[str])

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

    async def ids(self, tenant: str) -> list[str]:
        """What names something of a tenant, in one order."""
        return sorted(row["id"] for row in await rows(self.root, _IDS, tenant))

    async def take(self, step: Step) -> tuple[httpx.Response, str]:
        """Takes a step; the answer, and what of the other tenant was said by who asked."""
        deed, tenant, first, second, third = step
        if deed == "hook":
            return await self._hook(tenant, first, second), ""
        whose = tenant if first % 2 else OTHER[tenant]
        ids = await self.ids(whose) or [str(uuid4())]
        chosen = ids[second % len(ids)]
        role = ROLES[third % 3] if deed == "ask" else "admin"
        bearer = self.keys[tenant, role]
        match deed:
            case "ask":
                return await self._ask(bearer, whose, chosen, second, third), chosen
            case "work":
                how = ("redrive", "skip")[third % 2]
                path, body = f"/ledger/work/{how}", {"delivery": chosen}
            case "brake":
                path, body = "/ledger/brake/release", {"tenant": whose}
            case "key":
                path, body = "/ledger/keys", {"tenant": whose, "role": ROLES[third % 3], "label": "x"}
            case "revoke":
                path, body = "/ledger/keys/revoke", {"key": chosen}
            case "erase":
                path, body = "/ledger/erasures", {"tenant": whose, "person": chosen}
            case _:
                path, body = "/ledger/holds", {"tenant": whose, "person": chosen}
        return await self.desk.post(path, bearer, **body, reason=_mark(tenant)), chosen

    async def _hook(self, tenant: str, which: int, person: int) -> httpx.Response:
        hook = by_name()[HOOKS[which % len(HOOKS)].lower()]
        n = person % 3
        user = {
            "id": f"66aa{n:020d}",
            "login": f"shared{n}",
            "email": f"shared{n}@example.com",
            "mobile": f"987654321{n}",
            "country": "India",
            "displayName": _mark(tenant),
            "status": "ACTIVE",
        }
        if hook.creates and not hook.fact:
            del user["id"]
        request = {**(hook.sample or {}), "user": user, "note": _mark(tenant)}
        return await self.edge.hook(hook.name, request, tenant, webhook_id=f"{which}-{person}")

    async def _ask(self, bearer: str, whose: str, chosen: str, which: int, how: int) -> httpx.Response:
        question = QUESTIONS[which % len(QUESTIONS)]
        parameters = {"tenant": whose} if how % 3 else {}
        wanted = questions()[question].parameters.model_fields
        values = {"user": (f"shared{how % 3}", chosen)[how % 2], "delivery": chosen, "application": "hr"}
        parameters |= {name: value for name, value in values.items() if name in wanted}
        return await self.desk.get(
            f"/ledger/{question}", bearer, accept=MEDIA[how % len(MEDIA)], **parameters
        )


@pytest.fixture(scope="module")
async def both(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Both]:
    """Empty at first."""
    async with database(servers, TEMPLATE) as store:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TEMPORAL_ADDRESS", servers.temporal)
            directory, name = tmp_path_factory.mktemp("both"), store.url.rpartition("/")[2]
            (directory / "seal.key").write_text(urlsafe_b64encode(bytes(range(32))).decode().rstrip("="))
            store = store.model_copy(update={"keeper_url": servers.url("hookledger_keeper", name)})
            settings = configure(directory, store, _MORE)
            root = await open_pool(Store(url=servers.url("postgres", name)), "root")
            async with listen_to_hooks(settings) as edge, listen(settings) as desk:
                keys: dict[tuple[str, Role], str] = {
                    (tenant, role): (await make(settings, role, tenant, reason=_mark(tenant)))[0]
                    for tenant in OTHER
                    for role in ROLES
                }
                tables = [row["relname"] for row in await rows(root, _WITH_TENANT)]
                yield Both(edge, desk, root, keys, tables)
            await root.close()


@hypothesis.settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
async def test_nothing_crosses_over(both: Both, steps: list[Step]) -> None:
    for step in steps:
        tenant = step[1]
        other = OTHER[tenant]
        before, theirs = await both.digest(other), await both.ids(other)

        answer, said = await both.take(step)

        assert answer.status_code < 500, (step, answer.text)
        assert _mark(other) not in answer.text, step
        crossed = [name for name in theirs if name in answer.text and name != said]
        assert not crossed, step
        assert await both.digest(other) == before, step


async def test_the_look_out_sees_both(both: Both) -> None:
    """Both tenants have something of every kind that was played, and a change of one shows."""
    for tenant in OTHER:
        for which in range(len(HOOKS)):
            answer, _ = await both.take(("hook", tenant, which, 1, 0))
            assert answer.status_code == 200, answer.text
    digests = [await both.digest(tenant) for tenant in OTHER]
    for table in ("bodies", "deliveries", "entries", "handles", "identities", "keys", "subjects", "work"):
        assert digests[0][table] != digests[1][table] is not None, table
    before = digests[0]
    await both.take(("hook", "as100", 0, 2, 0))
    assert await both.digest("as100") != before

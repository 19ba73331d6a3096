"""People that no other test has, and what the store and Temporal say of them."""

import asyncio
import random
import uuid
from typing import Any

from temporalio.client import Client
from temporalio.service import RPCError

from ledger.engine import Pool
from tests.support import rows


def unique() -> str:
    """A login that no other test has."""
    return f"u{uuid.uuid4().hex[:12]}"


def mobile() -> str:
    """An Indian mobile number."""
    return str(random.randint(6 * 10**9, 10**10 - 1))


def person() -> dict[str, Any]:
    """A whole user that no other test has."""
    login = unique()
    return {
        "login": login,
        "firstName": "Asha",
        "lastName": "Example",
        "email": f"{login}@example.com",
        "mobile": mobile(),
        "country": "India",
        "userType": "Employee",
    }


async def recorded(pool: Pool, login: str, tenant: str = "as100") -> list[dict[str, Any]]:
    """A person's deliveries in order, with what was kept of them."""
    found = await rows(
        pool,
        "SELECT d.hook, d.verdict, d.codes, d.seq, b.body, d.id, d.subject FROM deliveries d"
        " JOIN bodies b ON b.delivery = d.id JOIN handles h ON h.subject = d.subject"
        " WHERE h.kind = 'login' AND h.value = $1 AND d.tenant = $2 ORDER BY d.seq",
        login,
        tenant,
    )
    return [dict(row) for row in found]


async def history_of(client: Client, workflow_id: str) -> str:
    """The history of a person's workflow, once somebody has rung."""
    for _ in range(100):
        try:
            return (await client.get_workflow_handle(workflow_id).fetch_history()).to_json()
        except RPCError:
            await asyncio.sleep(0.05)
    raise AssertionError("nobody rang")

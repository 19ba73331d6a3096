"""What several tests build on: where the servers are, a configuration, deliveries, and looking into the ledger."""

import base64
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from uuid_utils.compat import uuid7

import settings as configuration
from ledger.engine import Pool
from ledger.receive import Delivery, Person
from settings import Settings, Store


@dataclass(frozen=True)
class Servers:
    """The run's Temporal address, Postgres port, and the passwords of its roles."""

    temporal: str
    port: int
    passwords: dict[str, str] = field(repr=False)

    def url(self, role: str, database: str) -> str:
        """A database's address for a role."""
        return f"postgresql://{role}:{self.passwords[role]}@127.0.0.1:{self.port}/{database}"


ON = """
[tenants.as100.rules]
mode = "on"
"""


def write_configuration(
    directory: Path,
    store: Store,
    extra: str = "",
    tenant: str = "",
    rules: str | None = None,
    deprovision: str = "always",
) -> Settings:
    """Writes `hookledger.toml` with fresh keys beside it, and loads it. `extra` is more TOML, `tenant` as100's.

    Unless `extra` has `[breaker]`, nothing is an incident: tests fail for many people on purpose.
    `rules` are the whole `[tenants.as100.rules]`; without them, unique attributes refuse and there are no others.
    """
    for name in ("webhook.key", "fingerprint.key"):
        (directory / name).write_text(base64.urlsafe_b64encode(os.urandom(48)).decode())
    (directory / "store.url").write_text(store.url)
    (directory / "owner.url").write_text(store.owner_url or "")
    if store.keeper_url:
        (directory / "keeper.url").write_text(store.keeper_url)
    if "[breaker]" not in extra:
        extra += "\n[breaker]\nusers = 0\n"
    path = directory / "hookledger.toml"
    path.write_text(f"""
fingerprint_key = {{ file = "fingerprint.key" }}
[store]
url = {{ file = "store.url" }}
owner_url = {{ file = "owner.url" }}
keeper_url = {{ file = "keeper.url" }}
[temporal]
task_queue = "test-{uuid.uuid4().hex[:8]}"
[tenants.as100]
{tenant}
{ON if rules is None else rules}
[tenants.as100.token]
keys = [{{ secret = {{ file = "webhook.key" }} }}]
[tenants.as100.deprovision]
answer = "{deprovision}"
{extra}
""")
    return configuration.load(path)


def delivery(login: str, hook: str = "postProvision", **changes: Any) -> Delivery:
    """A delivery of a person known by login, as the answer path would build it."""
    subject = uuid.uuid4()
    values: dict[str, Any] = {
        "id": uuid7(),
        "tenant": "as100",
        "hook": hook,
        "verdict": "received",
        "body": json.dumps({"request": {"user": {"login": login}}}),
        "actor": "tester",
        "acting_for": None,
        "code_version": "test",
        "rules_hash": "test",
        "person": Person(login, changes.pop("platform_id", None), subject, f"user-lifecycle:{subject}"),
    }
    return Delivery(**(values | changes))


def validation(login: str, **changes: Any) -> Delivery:
    """A validateUser of that login."""
    values: dict[str, Any] = {
        "verdict": "passed",
        "creates": True,
        "check": "create",
        "hold": timedelta(minutes=10),
        "release": timedelta(0),
    }
    return delivery(login, "validateUser", **(values | changes))


async def rows(pool: Pool, query: str, *args: Any) -> list[Mapping[str, Any]]:
    """The rows of a query as dicts."""
    text = await pool.fetchval(f"SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM ({query}) AS q", *args)
    return json.loads(text)

"""Looks at the servers: the store, Temporal with its worker, and our own listener. Each look ends within seconds."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Literal

import httpx
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from commands.doctor.findings import Check
from commands.times import duration
from ledger.engine import Connection, StoreErrors, statements
from ledger.figures import takes_hooks
from ledger.keys import list_keys
from ledger.overview import Schema, Standing, read_schema, read_standings
from ledger.visit import OutOfReach, visit, why
from runtime.attributes import SEARCH_ATTRIBUTES
from runtime.client import connect
from settings import Api, Settings, Store
from settings.lacking import lacking
from settings.mistakes import dotted

WITHIN = 5.0
"""Seconds that one server may take."""
_SOON = timedelta(days=14)
"""Before a key's end, in which it is named."""
_POLLED = timedelta(seconds=90)
"""A poll lasts up to a minute, and the server notes its beginning."""


async def look_at_store(store: Store, tenants: Collection[str]) -> tuple[Check, dict[str, Standing] | None]:
    """Whether the store answers at this release's schema; and how the tenants stand."""
    try:
        async with asyncio.timeout(2 * WITHIN), visit(store, statement_timeout=WITHIN) as connection:
            schema = await read_schema(connection)
            if schema.current != schema.head:
                return _unmigrated(schema), None
            standings = await read_standings(connection, tenants)
            wrong = await _closed(connection)
    except OutOfReach as wrong:
        return Check(
            "Store", "wrong", f"{wrong}", "Start it, or correct store.url (make dev runs one)."
        ), None
    except TimeoutError:
        return Check("Store", "wrong", f"the store did not answer within {2 * WITHIN:.0f} s"), None
    if wrong:
        return Check(
            "Store",
            "wrong",
            wrong,
            "No hook is recorded. Let store.url lead to the primary, as the application's role.",
        ), standings
    return Check("Store", "fine", f"answers, at schema {schema.head}"), standings


async def _closed(connection: Connection) -> str:
    """Why a store that answers would record no hook; empty if it would."""
    try:
        await takes_hooks(await statements(connection))
    except StoreErrors as wrong:
        return f"the store {why(wrong)}"
    return ""


def _unmigrated(schema: Schema) -> Check:
    words = "is empty" if schema.current is None else f"is at schema {schema.current}, not at {schema.head}"
    return Check("Store", "wrong", words, "Run ./hookledger migrate.")


async def look_at_temporal(settings: Settings) -> list[Check]:
    """Whether Temporal answers, knows our search attributes, and has a worker polling our task queue."""
    remedy = "Start it, or set TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE (make dev runs one)."
    try:
        async with asyncio.timeout(WITHIN):
            client = await connect(lazy=False)
            return [await _attributes(client), await _worker(client, settings.temporal.task_queue)]
    except RPCError as wrong:
        return [Check("Temporal", "wrong", f"refuses ({wrong.status.name})", remedy)]
    except (RuntimeError, OSError, ValueError) as wrong:
        words = f"does not answer ({type(wrong).__name__})"
        return [Check("Temporal", "wrong", f"{words}; hooks are stored and answered all the same", remedy)]


async def _attributes(client: Client) -> Check:
    try:
        for name in SEARCH_ATTRIBUTES:
            await client.count_workflows(f"{name} IS NULL")
    except RPCError as wrong:
        if wrong.status is not RPCStatusCode.INVALID_ARGUMENT:
            raise
        names = ", ".join(f"{name} ({kind})" for name, kind in SEARCH_ATTRIBUTES.items())
        return Check("Temporal", "wrong", "lacks our search attributes", f"Register {names} as Keyword.")
    return Check("Temporal", "fine", f"answers, namespace {client.namespace}, search attributes registered")


async def _worker(client: Client, queue: str) -> Check:
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    answer = await client.workflow_service.describe_task_queue(request)
    seen = [poller.last_access_time.ToDatetime(UTC) for poller in answer.pollers]
    remedy = "Start one: ./hookledger worker. Until then hooks are answered, and their work waits."
    if not seen:
        return Check("Worker", "wrong", f"none has polled task queue {queue} in the last minutes", remedy)
    quiet = datetime.now(UTC) - max(seen)
    words = f"last seen {duration(quiet.total_seconds())} ago on task queue {queue}"
    if quiet > _POLLED:
        return Check("Worker", "wrong", words, remedy)
    workers = len({poller.identity for poller in answer.pollers})
    return Check("Worker", "fine", f"{workers} on task queue {queue}")


async def look_at_listener(settings: Settings) -> Check:
    """Whether our listener answers where it is configured to; it may as well run on another machine."""
    return await _look_at(settings, "api", "Listener", f"{settings.api.prefix}/<hook>")


async def look_at_query(settings: Settings) -> Check:
    """Whether the listener answers on which the ledger is asked."""
    return await _look_at(settings, "query", "Query", "/ledger")


async def _look_at(settings: Settings, process: Literal["api", "query"], name: str, path: str) -> Check:
    at = settings.api if process == "api" else settings.query
    scheme, host, port = "https" if at.tls else "http", at.host, at.port
    shown = f"{scheme}://{host}:{port}{path}"
    if at.tls and at.tls.client_ca and (metrics := settings.metrics.port(process)):
        # It asks every caller for a certificate, and we have none.
        scheme, host, port = "http", settings.metrics.host, metrics
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)  # noqa: S104 - asked, not bound
    try:
        # Its certificate names the address that callers use, which need not be this one.
        async with httpx.AsyncClient(verify=False, trust_env=False, timeout=WITHIN / 2) as client:  # noqa: S501 - it asks itself
            answer = await client.get(f"{scheme}://{host}:{port}/health/ready")
    except (httpx.HTTPError, OSError) as wrong:
        words = f"nothing answers at {shown} ({type(wrong).__name__})"
        return Check(name, "note", words, f"Start it: ./hookledger {process}, unless it runs elsewhere.")
    if not answer.is_success:
        return Check(name, "wrong", f"{shown} is not ready (status {answer.status_code})")
    return Check(name, "fine", f"answers at {shown}")


async def look_at_keys(store: Store) -> list[Check]:
    """Which keys of the query API end soon. Nothing while the store cannot be used: its own line says so."""
    try:
        async with asyncio.timeout(WITHIN), visit(store, statement_timeout=WITHIN) as connection:
            keys = await list_keys(connection, None)
    except (OutOfReach, TimeoutError):
        return []
    now = datetime.now(UTC)
    soon = [key for key in keys if key.expires_at - now < _SOON]
    words = f"{len(keys)} good" if keys else "none is good: nobody can ask by key"
    if not soon:
        return [Check("Keys", "fine", words)]
    named = ", ".join(
        f"{key.id} ({key.label}) in {duration((key.expires_at - now).total_seconds())}" for key in soon[:5]
    )
    more = f" and {len(soon) - 5} more" if len(soon) > 5 else ""
    remedy = "Make their successors, then let their holders change: ./hookledger key new"
    return [Check("Keys", "note", f"{words}; these end soon: {named}{more}", remedy)]


def look_at_tls(api: Api) -> Check:
    """The platform calls https only (CONTRACT B1.2)."""
    if api.tls:
        return Check("TLS", "fine", f"certificate {api.tls.certificate.name}")
    words = "not configured, and the platform calls https only"
    return Check("TLS", "note", words, "Set api.tls, or put a proxy that ends TLS in front.")


def look_at_given(settings: Settings) -> list[Check]:
    """What cannot be read here, and which process needs it. Nothing while all can be."""
    checks: list[Check] = []
    for lack in lacking(settings):
        where, words = lack.mistake
        remedy = f"Only {lack.process} needs it: give it to that one."
        checks.append(Check("Given", "note", f"{dotted(where)}: {words}", remedy))
    return checks

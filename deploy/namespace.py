"""The namespace job: makes Temporal's namespace, its retention and search attributes as we need them."""

import asyncio
import logging
import re
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest, UpdateNamespaceRequest
from temporalio.service import RPCError, RPCStatusCode, ServiceClient

import settings
from runtime.attributes import SEARCH_ATTRIBUTES
from runtime.client import connect
from runtime.logs import start_logging

log = logging.getLogger(__name__)

_PATIENCE = 120.0
"""Seconds for a server that listens already but does not serve yet."""
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")
"""Where KeywordList becomes KEYWORD_LIST."""


async def prepare(service: ServiceClient, namespace: str, retention: timedelta) -> None:
    """Makes what is missing and corrects the retention; does nothing the second time. Raises RPCError."""
    kept = Duration()
    kept.FromTimedelta(retention)
    try:
        await service.workflow_service.register_namespace(
            RegisterNamespaceRequest(namespace=namespace, workflow_execution_retention_period=kept)
        )
        log.info("namespace %s made", namespace)
    except RPCError as wrong:
        if wrong.status is not RPCStatusCode.ALREADY_EXISTS:
            raise
    await service.workflow_service.update_namespace(
        UpdateNamespaceRequest(
            namespace=namespace, config=NamespaceConfig(workflow_execution_retention_ttl=kept)
        )
    )
    log.info("namespace %s keeps closed workflows for %d days", namespace, retention.days)
    await _register(service, namespace)


async def _register(service: ServiceClient, namespace: str) -> None:
    there = await service.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=namespace)
    )
    missing = {
        name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{_WORDS.sub('_', kind).upper()}")
        for name, kind in SEARCH_ATTRIBUTES.items()
        if name not in there.custom_attributes
    }
    if missing:
        await service.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=namespace, search_attributes=missing)
        )
    log.info("search attributes %s are registered", ", ".join(SEARCH_ATTRIBUTES))


async def main() -> None:
    """Prepares the namespace of TEMPORAL_NAMESPACE; tries again while the server comes up."""
    retention = timedelta(days=settings.load().temporal.retention_days)
    pause = 0.5
    async with asyncio.timeout(_PATIENCE):
        while True:
            try:
                client = await connect(lazy=False)
                return await prepare(client.service_client, client.namespace, retention)
            except (RPCError, RuntimeError) as wrong:
                log.warning("waiting for Temporal: %s", type(wrong).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


if __name__ == "__main__":
    start_logging()
    asyncio.run(main())

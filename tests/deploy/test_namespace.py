"""The namespace job, on a real Temporal server."""

import uuid
from datetime import timedelta

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from deploy.namespace import prepare
from runtime.attributes import SEARCH_ATTRIBUTES


async def test_makes_a_namespace_with_our_retention_and_search_attributes_and_can_run_again(
    client: Client,
) -> None:
    namespace = f"deploy-{uuid.uuid4().hex[:8]}"
    await prepare(client.service_client, namespace, timedelta(days=30))
    await prepare(client.service_client, namespace, timedelta(days=7))

    about = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    assert about.config.workflow_execution_retention_ttl.ToTimedelta() == timedelta(days=7)
    there = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=namespace)
    )
    assert set(SEARCH_ATTRIBUTES) <= set(there.custom_attributes)

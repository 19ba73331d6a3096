"""Worker versioning: which build the tasks of our queue go to, and how that is changed (Temporal's worker deployments)."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

from runtime.version import code_version

_ROOT = Path(__file__).resolve().parent.parent
_RPC_TIMEOUT = timedelta(seconds=5)


class CannotRelease(Exception):
    """The release was not made; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Build:
    """One build whose workers Temporal has seen. `drainage`: whether runs that began on it are still open."""

    id: str
    current: bool
    ramping: float
    """Percent of new runs that go to it; 0 if it is not ramping."""
    drainage: str
    since: datetime | None


@cache
def build_id(extra: tuple[str, ...] = ()) -> str:
    """HOOKLEDGER_VERSION, else the git revision, marked if files differ from it, else a hash over the code."""
    named = code_version(extra)
    if not named.startswith("code:"):
        return named
    command = ["git", "-C", str(_ROOT), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return named
    if done.returncode or not (_ROOT / ".git").exists():
        return named
    revision = done.stdout.strip()
    return revision.replace("-dirty", f"-{named.removeprefix('code:')}")


def versioned(deployment: str | None, build: str) -> dict[str, Any]:
    """How a worker is made for a deployment of that name; nothing without one.

    Runs go over to the current build with their next task: histories replay on it, which the tests show for those stored.
    """
    if deployment is None:
        return {}
    config = WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment, build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )
    return {"deployment_config": config}


async def builds(client: Client, deployment: str) -> list[Build]:
    """The builds of the deployment, newest first; none before its first worker polled. Raises RPCError."""
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment)
    try:
        info = (
            await client.workflow_service.describe_worker_deployment(request, timeout=_RPC_TIMEOUT)
        ).worker_deployment_info
    except RPCError as wrong:
        if wrong.status is RPCStatusCode.NOT_FOUND:
            return []
        raise
    routing = info.routing_config
    current = routing.current_deployment_version.build_id
    ramping = routing.ramping_deployment_version.build_id
    found = [
        Build(
            id=summary.deployment_version.build_id,
            current=summary.deployment_version.build_id == current,
            ramping=routing.ramping_version_percentage
            if summary.deployment_version.build_id == ramping
            else 0.0,
            drainage=_DRAINAGE.get(summary.drainage_status, ""),
            since=summary.create_time.ToDatetime(UTC) if summary.HasField("create_time") else None,
        )
        for summary in info.version_summaries
    ]
    return sorted(found, key=lambda build: build.since or datetime.min.replace(tzinfo=UTC), reverse=True)


_DRAINAGE = {1: "draining", 2: "drained"}


async def make_current(client: Client, deployment: str, build: str) -> None:
    """Tasks go to that build from now on, of open runs too. Raises CannotRelease."""
    await _known(client, deployment, build)
    await _told(
        client.workflow_service.set_worker_deployment_current_version(
            SetWorkerDeploymentCurrentVersionRequest(
                namespace=client.namespace,
                deployment_name=deployment,
                build_id=build,
                identity=client.identity,
            ),
            timeout=_RPC_TIMEOUT,
        )
    )


async def ramp(client: Client, deployment: str, build: str, percent: float) -> None:
    """So many percent of new runs go to that build. Raises CannotRelease."""
    await _known(client, deployment, build)
    await _told(
        client.workflow_service.set_worker_deployment_ramping_version(
            SetWorkerDeploymentRampingVersionRequest(
                namespace=client.namespace,
                deployment_name=deployment,
                build_id=build,
                percentage=percent,
                identity=client.identity,
            ),
            timeout=_RPC_TIMEOUT,
        )
    )


async def first_of_all(client: Client, deployment: str, build: str) -> bool:
    """Makes the build current where none is yet: the very first worker must not wait for a person. Raises RPCError."""
    found = await builds(client, deployment)
    if not any(known.id == build for known in found) or any(known.current for known in found):
        return False
    await make_current(client, deployment, build)
    return True


async def _known(client: Client, deployment: str, build: str) -> None:
    if not any(known.id == build for known in await builds(client, deployment)):
        raise CannotRelease(
            f"no worker of build {build} has polled yet: start one, and look with ./hookledger builds list"
        )


async def _told(call: Any) -> None:
    try:
        await call
    except RPCError as wrong:
        raise CannotRelease(
            f"Temporal refused ({wrong.status.name}): is a worker of that build running?"
        ) from None

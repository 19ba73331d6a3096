"""The connection to Temporal, as TEMPORAL_* and temporalio.envconfig say; and its bare errors, hushed."""

import logging
import os
import socket
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory, FailureError
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from ledger.engine import EngineErrors
from runtime.logs import about
from settings.metrics import Metrics

log = logging.getLogger(__name__)

_USUAL = "127.0.0.1:7233"
"""Where Temporal listens if nothing says otherwise."""


OURS = "hookledger "
"""Begins the identity of every client of ours: what a history tells of anybody else was done by hand."""


async def connect(*, lazy: bool, name: str = "command", runtime: Runtime | None = None) -> Client:
    """A client that names its process; `lazy` connects at the first call, so that a start needs no server."""
    options: dict[str, Any] = {"target_host": _USUAL, **ClientConfig.load_client_connect_config()}
    options["identity"] = identity(name)
    return await Client.connect(**options, lazy=lazy, runtime=runtime)


def measured_runtime(metrics: Metrics) -> Runtime | None:
    """The SDK with its own Prometheus listener, where `metrics.temporal` names a port that is free."""
    if not metrics.temporal:
        return None
    telemetry = TelemetryConfig(
        metrics=PrometheusConfig(
            bind_address=f"{metrics.host}:{metrics.temporal}",
            counters_total_suffix=True,
            unit_suffix=True,
            durations_as_seconds=True,
        )
    )
    try:
        return Runtime(telemetry=telemetry)
    except Exception as wrong:  # to be seen is no condition of working
        log.warning("no metrics of Temporal's SDK on port %d: %s", metrics.temporal, type(wrong).__name__)
        return None


def identity(name: str, pid: int | None = None) -> str:
    """How a process of ours, this one if not another on this host, is known in histories: `hookledger api 4711@host`."""
    return f"{OURS}{name} {os.getpid() if pid is None else pid}@{socket.gethostname()}"


class Hush(Interceptor):
    """Lets only an error's type into histories: texts of the store or of libraries may hold personal data."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        # What `about` holds stands in the log instead: a workflow's id may hold the login.
        activity.logger.activity_info_on_message = activity.logger.activity_info_on_extra = False
        return _Hushed(next)


class _Hushed(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        info = activity.info()
        # Not the workflow's id: it may hold the login.
        about.set({"activity": info.activity_type, "run": info.workflow_run_id, "attempt": info.attempt})
        try:
            return await super().execute_activity(input)
        except FailureError:
            raise
        except Exception as wrong:
            kind, known = type(wrong).__name__, isinstance(wrong, EngineErrors)
            log.warning("%s failed: %s", info.activity_type, kind, exc_info=None if known else wrong)
            # Benign: Temporal's library would log it once more, and only that it was raised here.
            benign = ApplicationErrorCategory.BENIGN
            raise ApplicationError("see the ledger and the log", type=kind, category=benign) from None

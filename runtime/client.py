"""The connection to Temporal, as TEMPORAL_* and temporalio.envconfig say; and its bare errors, hushed."""

import os
import socket
from typing import Any

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

_USUAL = "127.0.0.1:7233"
"""Where Temporal listens if nothing says otherwise."""


OURS = "hookledger "
"""Begins the identity of every client of ours: what a history tells of anybody else was done by hand."""


async def connect(*, lazy: bool, name: str = "command") -> Client:
    """A client that names its process; `lazy` connects at the first call, so that a start needs no server."""
    options: dict[str, Any] = {"target_host": _USUAL, **ClientConfig.load_client_connect_config()}
    options["identity"] = identity(name)
    return await Client.connect(**options, lazy=lazy)


def identity(name: str) -> str:
    """How a process of ours is known in histories: `hookledger api 4711@host`."""
    return f"{OURS}{name} {os.getpid()}@{socket.gethostname()}"


class Hush(Interceptor):
    """Lets only an error's type into histories: texts of the store or of libraries may hold personal data."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Hushed(next)


class _Hushed(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        try:
            return await super().execute_activity(input)
        except FailureError:
            raise
        except Exception as wrong:
            raise ApplicationError("see the ledger and the log", type=type(wrong).__name__) from None

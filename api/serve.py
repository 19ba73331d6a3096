"""Runs the webhook listener under uvicorn, and drains it on SIGTERM."""

import logging

import uvicorn

from api.app import make_app
from settings import Settings

log = logging.getLogger(__name__)

_GRACE = 10
"""Seconds for calls under way after SIGTERM."""


def serve(settings: Settings, host: str | None = None, port: int | None = None) -> None:
    """Listens until SIGTERM or SIGINT; calls under way are answered, waiting rings are rung."""
    api = settings.api
    uvicorn.run(
        make_app(settings),
        host=host or api.host,
        port=api.port if port is None else port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        server_header=False,
        log_config=None,
        log_level="warning",
        proxy_headers=True,
        forwarded_allow_ips=api.forwarded_allow_ips,
        ssl_certfile=api.tls.certificate if api.tls else None,
        ssl_keyfile=api.tls.key if api.tls else None,
        timeout_graceful_shutdown=_GRACE,
        timeout_keep_alive=30,
        backlog=2048,
    )

"""Serves an application as the ingress is served: one uvicorn worker with uvloop and httptools."""

from typing import Any

import uvicorn

from sandbox.ports import HOST
from schemas.settings import IngressSettings, load


def serve(app: Any) -> None:
    """Serves until SIGTERM on ``PAYMENTS_INGRESS_PORT``."""
    uvicorn.run(
        app,
        host=HOST,
        port=load(IngressSettings).ingress_port,
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
    )

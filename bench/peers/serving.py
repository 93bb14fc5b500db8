"""Serves an application with one uvicorn worker, uvloop, and uvicorn's own fastest parser."""

from typing import Any

import uvicorn

from sandbox.supervision.ports import HOST
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

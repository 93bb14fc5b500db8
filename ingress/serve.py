"""Serves the ingress until SIGTERM or SIGINT."""

import os
import tempfile
from typing import Final

import uvicorn

from ingress.bootstrap import application
from ingress.http.serving import uvicorn_options
from ingress.metrics import SHARED_FOLDER_VARIABLE
from schemas.settings import IngressSettings, load

FACTORY: Final = "ingress.bootstrap:worker_application"


def serve() -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit code.

    Raises SettingsError for wrong settings, before anything starts.
    """
    settings = load(IngressSettings)
    application()
    if settings.ingress_workers == 1:
        _serve(settings)
        return 0
    with tempfile.TemporaryDirectory(prefix="payments-ingress-metrics-") as folder:
        os.environ.setdefault(
            SHARED_FOLDER_VARIABLE, folder
        )  # before a worker imports prometheus_client
        _serve(settings)
    return 0


def _serve(settings: IngressSettings) -> None:
    uvicorn.run(
        FACTORY,
        factory=True,
        host=settings.ingress_host,
        port=settings.ingress_port,
        workers=settings.ingress_workers,
        **uvicorn_options(),
    )

"""Serves the ingress until SIGTERM or SIGINT."""

import os
import tempfile
from typing import Final

import uvicorn

from ingress.bootstrap import application
from ingress.http.serving import uvicorn_options
from ingress.metrics import SHARED_FOLDER_VARIABLE
from runtime.listening import listen_at
from runtime.restart import RESTART
from schemas.settings import IngressSettings, load

FACTORY: Final = "ingress.bootstrap:worker_application"


def serve() -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit code.

    Raises SettingsError for wrong settings, before anything starts.
    """
    settings = load(IngressSettings)
    application()
    # uvicorn would listen only after start-up, and end with exit codes of its own
    listen_at(settings.ingress_host, settings.ingress_port, 1, "PAYMENTS_INGRESS").close()
    if settings.ingress_workers == 1:
        return _serve(settings)
    with tempfile.TemporaryDirectory(prefix="payments-ingress-metrics-") as folder:
        os.environ.setdefault(
            SHARED_FOLDER_VARIABLE, folder
        )  # before a worker imports prometheus_client
        return _serve(settings)


def _serve(settings: IngressSettings) -> int:
    try:
        uvicorn.run(
            FACTORY,
            factory=True,
            host=settings.ingress_host,
            port=settings.ingress_port,
            workers=settings.ingress_workers,
            **uvicorn_options(),
        )
    except SystemExit as end:  # uvicorn could not start
        return RESTART if end.code else 0
    return 0

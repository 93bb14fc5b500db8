"""``python -m ingress``: serves the ingress until SIGTERM or SIGINT."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from typing import Final

import uvicorn

from ingress.metrics import SHARED_FOLDER_VARIABLE
from ingress.serving import SERVING
from ingress.wire import application
from schemas.settings import IngressSettings, SettingsError, load

FACTORY: Final = "ingress.wire:worker"
WRONG_SETTINGS: Final = 2


def main(arguments: Sequence[str] = ()) -> int:
    """Serves; answers the exit code. Wrong settings are refused before anything is started."""
    argparse.ArgumentParser(
        prog="python -m ingress",
        description="Serves the HTTP API and takes webhooks in, until SIGTERM or Ctrl-C. Its "
        "settings are variables of the environment: docs/configuration.md lists them.",
    ).parse_args(arguments)
    try:
        settings = load(IngressSettings)
        application()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_SETTINGS
    if settings.ingress_workers == 1:
        _serve(settings)
        return 0
    with tempfile.TemporaryDirectory(prefix="payments-ingress-metrics-") as folder:
        os.environ.setdefault(SHARED_FOLDER_VARIABLE, folder)  # before a worker imports its client
        _serve(settings)
    return 0


def _serve(settings: IngressSettings) -> None:
    uvicorn.run(
        FACTORY,
        factory=True,
        host=settings.ingress_host,
        port=settings.ingress_port,
        workers=settings.ingress_workers,
        **SERVING,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

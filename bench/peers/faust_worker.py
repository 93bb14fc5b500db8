"""Runs the peers that are Faust programs, like the processor and without Faust's own log."""

import logging
from typing import Any, Final

import faust

from runtime.health import Health

#: Below WARNING these make a log record per message, which costs a tenth of the speed.
QUIET: Final = ("aiokafka", "faust", "mode", "kafka")


def run(app: faust.App, health: Health) -> None:
    """Runs the worker until SIGTERM; it is ready while it has partitions. Ends the process."""
    logging.basicConfig(level=logging.WARNING)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)

    @app.on_partitions_assigned.connect  # type: ignore[arg-type]  # the signal argument is in **_
    async def assigned(_app: Any, *_given: Any, **_: Any) -> None:
        health.update(operational=True)

    faust.Worker(
        app, loglevel="WARNING", override_logging=False, redirect_stdouts=False
    ).execute_from_commandline()

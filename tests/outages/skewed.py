"""Runs a program of the service with a wrong clock.

``python -m tests.outages.skewed <seconds> <program>``: ``ingress``, ``stream`` or ``worker``.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest

import cli.main
import ingress.bootstrap
import processor.stream.bootstrap
import processor.worker.bootstrap
import providers.registry


def set_clocks(offset_s: float) -> None:
    """Shifts every wall clock that a program of the service reads by this many seconds."""
    real_time = time.time

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=offset_s)

    time.time = lambda: real_time() + offset_s
    patch = pytest.MonkeyPatch()
    for module in (ingress.bootstrap, processor.stream.bootstrap, processor.worker.bootstrap):
        patch.setattr(module, "utc_now", now)
    providers.registry._now = now


def main(offset_s: str, program: str) -> NoReturn:
    """Runs the program, and exits with its code."""
    set_clocks(float(offset_s))
    cli.main.run([program])


if __name__ == "__main__":
    main(*sys.argv[1:])

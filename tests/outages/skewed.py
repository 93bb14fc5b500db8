"""A program of the service on a host whose clock is off.

``python -m tests.outages.skewed <seconds> ingress``, or ``<seconds> stream``, ``<seconds> work``.
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
    """Every clock that a program of the service reads the time of day from is off by so much."""
    really = time.time

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=offset_s)

    time.time = lambda: really() + offset_s
    patch = pytest.MonkeyPatch()
    for module in (ingress.bootstrap, processor.stream.bootstrap, processor.worker.bootstrap):
        patch.setattr(module, "utc_now", now)
    providers.registry._now = now


def main(offset_s: str, program: str) -> NoReturn:
    """Runs it, and ends with its exit code."""
    set_clocks(float(offset_s))
    cli.main.run([program])


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A program of the service on a host whose clock is off.

``python -m tests.outages.skewed <seconds> ingress``, or ``<seconds> stream``, ``<seconds> work``.
"""

import sys
import time
from datetime import UTC, datetime, timedelta

import ingress.__main__
import ingress.wire
import processor.__main__
import providers.registry


def set_clocks(offset_s: float) -> None:
    """Every clock that a program of the service reads the time of day from is off by so much."""
    really = time.time

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=offset_s)

    time.time = lambda: really() + offset_s
    ingress.wire.utc_now = now
    processor.__main__.utc_now = now
    providers.registry._now = now


def main(offset_s: str, program: str) -> int:
    """Runs it; answers its exit code."""
    set_clocks(float(offset_s))
    return ingress.__main__.main() if program == "ingress" else processor.__main__.main([program])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

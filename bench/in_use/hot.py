"""``python -m bench.in_use.hot``: what a webhook costs about a payment with ever more refunds."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from bench import reading
from bench.errors import BenchError
from bench.load import log, rows
from bench.load.later import Ended, refund_created
from bench.load.workload import generate
from bench.programs import STREAM, Programs, running
from bench.site import Site, opened
from runtime.logs import configure_structlog
from sandbox.errors import SandboxError
from sandbox.stripe_simulator.chance import Chance
from schemas.topics import APP_ID

#: Refunds at a time, and the median's window at both ends.
AT_ONCE: Final = 100
ENDS: Final = 3
#: Payments that come before, so that the worker is warm.
WARM_UP: Final = 500


@dataclass(frozen=True, slots=True)
class Hot:
    """Milliseconds of a webhook, for each hundred; and the worker's memory in MiB."""

    ms: Sequence[float]
    rss_mib: float

    @property
    def first_ms(self) -> float:
        """The median of the first hundreds."""
        return sorted(self.ms[:ENDS])[ENDS // 2]

    @property
    def last_ms(self) -> float:
        """The median of the last hundreds."""
        return sorted(self.ms[-ENDS:])[ENDS // 2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Refunds one payment, prints the time and memory, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.in_use.hot", description=__doc__)
    parser.add_argument("--refunds", type=int, default=1_400, metavar="N", help="at most 1,500")
    options = parser.parse_args(arguments)
    configure_structlog()
    try:
        with opened() as site:
            found = asyncio.run(measure(site, options.refunds))
    except (BenchError, SandboxError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    first, last = found.first_ms, found.last_ms
    print(", ".join(f"{each:.2f}" for each in found.ms), "ms a webhook")
    print(f"{options.refunds:,} refunds of one payment, {AT_ONCE} at a time:")
    print(
        f"first {first:.2f} ms, last {last:.2f} ms, {last / first:.1f} times; "
        f"{found.rss_mib:.0f} MiB"
    )
    return 0


async def measure(site: Site, refunds: int) -> Hot:
    """Refunds one payment this many times. Raises WrongResultError, StuckError."""
    work = generate(1, "hot", WARM_UP)
    until, found = partial(rows.published_at, site), list[float]()
    async with running(STREAM, site, PAYMENTS_DATA_DIR=str(site.root / "hot")) as stream:
        worker = Programs((stream,))
        await log.until_shared(site, 1)
        await log.feed(site, log.commands_as_records(work.commands))
        await log.feed(site, log.deliveries_as_records(work.deliveries))
        await log.until_processed(site)
        await rows.check(site, work)
        payment = await _paid(site)
        ids, now = Chance("hot"), int(datetime.now(UTC).timestamp())
        for first in range(0, refunds, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, refunds))
            deliveries = [refund_created(ids, payment, number, now) for number in numbers]
            records = log.deliveries_as_records(deliveries)
            done = await reading.process(site, worker, APP_ID, records, until)
            found.append(done.seconds * 1000 / len(numbers))
        rss_mib = worker.rss_mib()
        worker.stop()
    return Hot(found, rss_mib)


async def _paid(site: Site) -> Ended:
    """A payment that was captured and never refunded."""
    ((payment_id, object_id, amount),) = await rows.paid(site, 1)
    return Ended(payment_id, object_id, amount)


if __name__ == "__main__":
    sys.exit(main())

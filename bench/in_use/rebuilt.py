"""``python -m bench.in_use.rebuilt``: the time of a rebuild, of payments that really lived."""

import argparse
import asyncio
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.errors import BenchError
from bench.in_use import lived
from bench.site import Site, opened
from decisions.decode import Decoder
from ports.provider import Account
from processor.ops.rebuild.results import RebuildResult
from processor.ops.rebuild.run import rebuild
from providers.stripe.webhooks import StripeTranslator
from runtime.clock import utc_now
from runtime.logs import configure_structlog
from sandbox.environment import STRIPE_ACCOUNT
from sandbox.errors import SandboxError

#: This process, and the largest of those that it started.
WHO: Final = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A rebuild's result, its time, and the memory of its largest process."""

    found: RebuildResult
    seconds: float
    peak_mib: float

    @property
    def verdict(self) -> str:
        """Whether what was decided again is what is stored."""
        return "equal" if self.found.is_equal else "DIFFERENT"


def main(arguments: Sequence[str] | None = None) -> int:
    """Has payments live, rebuilds, and prints how long that took."""
    parser = argparse.ArgumentParser(prog="python -m bench.in_use.rebuilt", description=__doc__)
    parser.add_argument("--payments", type=int, default=100_000, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("--serve", action="store_true", help="let the servers run until Ctrl-C")
    options = parser.parse_args(arguments)
    configure_structlog()
    try:
        with opened() as site:
            seconds = lived.run(site, options.payments)
            print(f"{options.payments:,} payments lived in {seconds:,.0f} s")
            print(f"Kafka: {site.kafka_bootstrap}\nPostgres: {site.database_url}", flush=True)
            if options.serve:
                signal.pause()
            _print(measure(site, options.jobs), options.payments, options.jobs)
    except (BenchError, SandboxError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _print(done: Rebuilt, payments: int, jobs: int) -> None:
    print(
        f"{done.found.inputs:,} inputs of {payments:,} payments in {done.seconds:,.1f} s with "
        f"{jobs} jobs, {done.verdict}: {done.seconds / payments * 1e6 / 60:,.1f} minutes per "
        f"million, {done.peak_mib:,.0f} MiB"
    )
    for table in done.found.compared:
        print(f"{table.table} {table.checked:,} rows, {table.different:,} differ", *table.examples)


def measure(site: Site, jobs: int) -> Rebuilt:
    """Rebuilds everything. Raises KafkaError, psycopg.Error."""
    translator = StripeTranslator(Account(STRIPE_ACCOUNT, is_live=False))
    decode = Decoder({translator.name: translator}).decode
    begun = time.monotonic()
    found = asyncio.run(
        rebuild(site.kafka_bootstrap, site.database_url, decode, utc_now, jobs=jobs, report=print)
    )
    seconds = time.monotonic() - begun
    peak_mib = max(resource.getrusage(who).ru_maxrss for who in WHO) / 1024
    return Rebuilt(found, seconds, peak_mib)


if __name__ == "__main__":
    sys.exit(main())

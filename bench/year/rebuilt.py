"""``python -m bench.year.rebuilt``: the time of a rebuild, of payments that really lived."""

import argparse
import asyncio
import resource
import signal
import sys
import time
from collections.abc import Sequence

from bench.errors import BenchError
from bench.site import opened
from bench.year import lived
from decisions.decode import Decoder
from ports.provider import Account
from processor.ops.rebuild.run import rebuild
from providers.stripe.webhooks import StripeTranslator
from runtime.clock import utc_now
from runtime.logs import configure_structlog
from sandbox.environment import STRIPE_ACCOUNT
from sandbox.errors import SandboxError


def main(arguments: Sequence[str] | None = None) -> int:
    """Has payments live, rebuilds, and prints how long that took."""
    parser = argparse.ArgumentParser(prog="python -m bench.year.rebuilt", description=__doc__)
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
            _measure(site.kafka_bootstrap, site.database_url, options.payments, options.jobs)
    except (BenchError, SandboxError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _measure(bootstrap: str, database_url: str, payments: int, jobs: int) -> None:
    translator = StripeTranslator(Account(STRIPE_ACCOUNT, is_live=False))
    decode = Decoder({translator.name: translator}).decode
    begun = time.monotonic()
    found = asyncio.run(rebuild(bootstrap, database_url, decode, utc_now, jobs=jobs, report=print))
    seconds = time.monotonic() - begun
    mib = max(resource.getrusage(who).ru_maxrss for who in (0, resource.RUSAGE_CHILDREN)) / 1024
    verdict = "equal" if found.is_equal else "DIFFERENT"
    print(
        f"{found.inputs:,} inputs of {payments:,} payments in {seconds:,.1f} s with {jobs} jobs, "
        f"{verdict}: {seconds / payments * 1e6 / 60:,.1f} minutes per million, {mib:,.0f} MiB"
    )
    for table in found.compared:
        print(f"{table.table} {table.checked:,} rows, {table.different:,} differ", *table.examples)


if __name__ == "__main__":
    sys.exit(main())

"""``python -m bench.in_use.rebuilt``: the time of a rebuild, of payments that really lived."""

import argparse
import signal
import sys
from collections.abc import Sequence

from bench.errors import BenchError
from bench.in_use import commands, lived
from bench.in_use.commands import Ended
from bench.site import Site, opened
from runtime.logs import configure_structlog
from sandbox.errors import SandboxError


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
            done = measure(site, options.jobs)
    except (BenchError, SandboxError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    print(
        f"{done.output}\n{done.seconds:,.1f} s with {options.jobs} jobs, {done.peak_mib:,.0f} MiB"
    )
    print(f"{done.seconds / options.payments * 1e6 / 60:,.1f} minutes per million")
    return 0


def measure(site: Site, jobs: int) -> Ended:
    """Rebuilds everything. Raises BenchError, also if something differs."""
    done = commands.run(site, "rebuild", "--jobs", str(jobs))
    if done.code:
        raise BenchError(f"the rebuild differs: {done.output}")
    return done


if __name__ == "__main__":
    sys.exit(main())

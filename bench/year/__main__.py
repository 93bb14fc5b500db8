"""``python -m bench.year``: fills a database with payments as after a year in use, and measures it.

Without ``--url`` it starts a Kafka and a Postgres of its own, and removes them at the end.
"""

import argparse
import signal
import sys
from collections.abc import Sequence

from bench.errors import BenchError
from bench.site import opened
from bench.year import database
from bench.year.fill import fill
from bench.year.sizes import as_markdown, sizes
from runtime.logs import configure_structlog
from sandbox.errors import SandboxError


def main(arguments: Sequence[str] | None = None) -> int:
    """Fills, prints figures, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.year", description=__doc__)
    parser.add_argument("--payments", type=int, default=2_000_000, metavar="N")
    parser.add_argument(
        "--unrouted", type=int, default=0, metavar="N", help="webhooks whose payment doesn't exist"
    )
    parser.add_argument(
        "--backoff", type=int, default=0, metavar="N", help="payments whose call is in back-off"
    )
    parser.add_argument(
        "--url", help=f"a server where the database {database.NAME} is made; its role a superuser"
    )
    parser.add_argument("--serve", action="store_true", help="let the own servers run until Ctrl-C")
    options = parser.parse_args(arguments)
    configure_structlog()
    try:
        if options.url:
            _fill(options.url, options)
        else:
            with opened() as site:
                _fill(site.database_url, options)
                if options.serve:
                    print(f"Kafka: {site.kafka_bootstrap}\nCtrl-C ends both", flush=True)
                    signal.pause()
    except (BenchError, SandboxError) as error:
        print(f"not filled: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _fill(server_url: str, options: argparse.Namespace) -> None:
    url = database.create(server_url)
    filled = fill(url, options.payments, unrouted=options.unrouted, backoff=options.backoff)
    print(as_markdown(sizes(url), filled.payments))
    parts = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in filled.seconds.items())
    print(f"\n{filled.payments:,} payments in {sum(filled.seconds.values()):,.0f} s: {parts}")
    if options.url or options.serve:
        print(f"Postgres: {url}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

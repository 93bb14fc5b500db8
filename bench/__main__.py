"""``python -m bench``: runs the benchmarks of the table, and prints and stores their figures.

In each round every benchmark has one turn on the same Kafka and Postgres, with the same work, empty
tables and newly started programs. Compared benchmarks run in the same round, so a busy machine
slows both. A turn before the first round warms up the servers and is not counted. A turn with a
wrong result ends the run.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from bench.benchmarks import BENCHMARKS, BY_NAME, chosen
from bench.errors import BenchError
from bench.figures import machine
from bench.figures.report import Report
from bench.figures.targets import Judged, summary
from bench.load.samples import Benchmark, Sample, Turn
from bench.load.workload import generate
from bench.site import Site, opened
from runtime.logs import configure_structlog
from sandbox.errors import SandboxError

SEED: Final = 20_260_101


@dataclass(frozen=True, slots=True)
class Sizes:
    """The size of each turn: payments of the measured work and of the warm-up.

    ``stored`` is the number of events in a full store.
    """

    rounds: int
    payments: int
    warm_up: int
    stored: int


FULL: Final = Sizes(rounds=3, payments=3_000, warm_up=400, stored=10_000_000)
QUICK: Final = Sizes(rounds=2, payments=300, warm_up=100, stored=100_000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the chosen benchmarks and returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="\n".join(f"{b.name:<16} {b.what}" for b in BENCHMARKS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="name", help="benchmarks; default: all")
    parser.add_argument("--quick", action="store_true", help="small work; no results are stored")
    parser.add_argument("--strict", action="store_true", help="fail if a target is not met")
    parser.add_argument("--stored", type=int, metavar="N", help="events in a full store")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - BY_NAME.keys())
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    configure_structlog()  # by default it prints every line, among the figures
    # A new broker has no group coordinator at first: aiokafka retries, and its warnings are noise.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        sizes = QUICK if options.quick else FULL
        sizes = replace(sizes, stored=options.stored or sizes.stored)
        judged = _run_all(chosen(options.names), sizes, keep=not options.quick)
    except (BenchError, SandboxError) as error:
        print(f"no figures: {error}", file=sys.stderr)
        return 1
    print(f"\n{summary(judged)}")
    return int(options.strict and not all(each.is_met for each in judged))


def _run_all(benchmarks: Sequence[Benchmark], sizes: Sizes, *, keep: bool) -> list[Judged]:
    about = _about(sizes)
    samples: dict[str, list[Sample]] = {b.name: [] for b in benchmarks}
    with opened() as site:
        _run_turn(site, benchmarks[0], sizes, sizes.rounds)
        for number in range(sizes.rounds):
            # Every other round runs in reverse order, so that no benchmark has an advantage.
            for benchmark in benchmarks if number % 2 == 0 else reversed(benchmarks):
                if number >= benchmark.rounds:
                    continue
                sample = _run_turn(site, benchmark, sizes, number)
                samples[benchmark.name].append(sample)
                print(
                    f"  round {number + 1} of {sizes.rounds}  {benchmark.name:<16}"
                    f"{sample.per_second:>10,.0f} per second",
                    flush=True,
                )
    judged: list[Judged] = []
    for kind in dict.fromkeys(b.kind for b in benchmarks):
        rows = [b for b in benchmarks if b.kind == kind]
        report = Report(kind, rows, samples, about)
        print(f"\n{report.as_markdown()}")
        if keep and rows == [b for b in BENCHMARKS if b.kind == kind]:
            print(f"stored: {', '.join(map(str, report.keep()))}")
        else:
            print("not stored: bench/results has only full runs of all benchmarks of a kind")
        judged += report.judged()
    return judged


def _run_turn(site: Site, benchmark: Benchmark, sizes: Sizes, number: int) -> Sample:
    name = f"{benchmark.name}-{number}"
    turn = Turn(
        warm_up=generate(SEED - 1, f"{name}-warm", sizes.warm_up),
        work=generate(SEED + number, name, round(sizes.payments * benchmark.share)),
        stored=sizes.stored,
    )
    return asyncio.run(benchmark.run(site, turn))


def _about(sizes: Sizes) -> dict[str, Any]:
    found = machine.describe()
    work = generate(SEED, "about", sizes.payments).mix()
    return {
        "measured at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": found.pop("commit"),
        "rounds": sizes.rounds,
        "work of a turn": work,
        "events in a full store": sizes.stored,
        "versions": found.pop("versions"),
        "machine": found,
    }


if __name__ == "__main__":
    sys.exit(main())

"""``python -m tests.simulation``: runs seeds one after the other, and says what they met."""

import argparse
import sys
import time
from collections.abc import Sequence

from tests.simulation.coverage import Coverage
from tests.simulation.run import Runner

FAILURES_SHOWN = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs seeds; 1 when one violated an invariant, or when something was never met."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="this one alone, with its trace")
    told = parser.parse_args(arguments)
    runner, coverage = Runner(), Coverage()
    if told.seed is not None:
        report = runner.run(told.seed)
        print(report if report.violations else f"seed {told.seed}: every invariant holds")  # noqa: T201  # for the person who asked
        return 1 if report.violations else 0
    failed, started = [], time.process_time()
    for seed in range(told.first, told.first + told.seeds):
        report = runner.run(seed)
        coverage.add(report.met, report.crashed_at)
        if report.violations:
            failed.append(seed)
            if len(failed) <= FAILURES_SHOWN:
                print(report)  # noqa: T201  # as above
    each_ms = (time.process_time() - started) / told.seeds * 1e3
    missing = coverage.missing()
    print(  # noqa: T201  # as above
        f"{told.seeds} seeds, {each_ms:.0f} ms of processor time each; violated in {len(failed)}"
        f" {failed[:20] or ''}; never met: {', '.join(missing) or 'nothing'}"
    )
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m tests.chaos --minutes 5 --seed 7``: one run; exits with 1 after a violation.

The folder of a failed run is kept: its history, every program's log and all data.
"""

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from sandbox.errors import SandboxError
from tests.chaos import bug_runs
from tests.chaos.judging.check import check
from tests.chaos.judging.summary import lines
from tests.chaos.run import RunConfig, run_chaos
from tests.isolation.isolated import isolated

RATE: Final = 5.0


def main() -> int:
    """Performs one run and prints its summary. Returns the exit code."""
    options = _parser().parse_args()
    config = RunConfig(options.minutes * 60, options.seed, options.rate)
    if options.bug is not None:
        config = bug_runs.config(options.bug, planted=not options.healthy)
    if options.schedule:
        sys.stdout.writelines(f"{occurrence}\n" for occurrence in config.schedule)
        return 0
    folder = Path(tempfile.mkdtemp(prefix="payments-chaos-"))
    logging.basicConfig(filename=folder / "run.log", format="%(asctime)s %(name)s %(message)s")
    try:
        history = asyncio.run(run_chaos(config, folder))
    except SandboxError as error:
        sys.stderr.write(f"{error}\nits folder is {folder}\n")
        return 2
    found = check(history)
    sys.stdout.writelines(f"{line}\n" for line in lines(history, config.seed, found))
    if any(found.values()):
        sys.stdout.write(f"the run's folder is {folder}\n")
        return 1
    shutil.rmtree(folder)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="duration of the faults")
    parser.add_argument("--seed", type=int, default=1, help="seed of the schedule and the load")
    parser.add_argument("--rate", type=float, default=RATE, help="payments per second")
    parser.add_argument("--bug", choices=bug_runs.BUG_RUNS, help="plant it; run its own faults")
    parser.add_argument("--healthy", action="store_true", help="the same faults without the bug")
    parser.add_argument("--schedule", action="store_true", help="only print the faults")
    return parser


if __name__ == "__main__":
    with isolated():
        sys.exit(main())

"""``make sim SEEDS=n`` runs n seeds; ``make sim SEED=n`` repeats one of them.

A failing seed is printed with the violated invariant, the payment's trace and the command that
repeats it. Every 50th seed is run twice, and both runs must have the same trace.
"""

import argparse
import gc
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat

from tests.simulation.judging.coverage import Coverage
from tests.simulation.run import Runner

#: Seeds per unit of work of a process.
PIECE = 25
#: One seed out of this many is run twice.
TWICE_EVERY = 50
#: This many seeds reach full coverage.
ENOUGH_FOR_ALL = 2_000
SHOWN_MAX = 5


@dataclass(slots=True)
class Part:
    """The results of some seeds."""

    coverage: Coverage = field(default_factory=Coverage)
    failures: list[str] = field(default_factory=list)
    #: By invariant, the number of seeds that violated it.
    codes: Counter[str] = field(default_factory=Counter)


def run_part(seeds: Sequence[int]) -> Part:
    """Runs seeds, one after the other."""
    gc.freeze()  # excludes the imported modules from garbage collection
    runner, part = Runner(), Part()
    for seed in seeds:
        report = runner.run(seed)
        part.coverage.add(report.met, report.crashed_at)
        if report.violations:
            part.codes[report.violations[0].code] += 1
            part.failures.append(str(report))
        again = seed % TWICE_EVERY == 0
        if again and runner.run(seed).trace.digest() != report.trace.digest():
            part.codes["twice"] += 1
            part.failures.append(f"seed {seed} is not deterministic: two runs differ")
    return part


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _parts(seeds: range, jobs: int) -> Iterator[Part]:
    pieces = [seeds[start : start + PIECE] for start in range(0, len(seeds), PIECE)]
    if jobs == 1:
        yield from map(run_part, pieces)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run_part, pieces)


def run_many(seeds: range, jobs: int) -> int:
    """Runs seeds, prints failures and a summary; returns 1 if anything failed."""
    started, done, whole = time.monotonic(), 0, Part()
    for part, size in zip(_parts(seeds, jobs), repeat(PIECE), strict=False):
        done = min(done + size, len(seeds))
        whole.coverage.add(part.coverage.met, part.coverage.crashed_at)
        whole.codes.update(part.codes)
        shown = min(SHOWN_MAX, len(whole.failures))
        whole.failures += part.failures
        for failure in whole.failures[shown:SHOWN_MAX]:
            _print(f"{failure}\n")
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{done} of {len(seeds)}")
    took = time.monotonic() - started
    _print(f"{len(seeds)} seeds in {took:.1f} s, {1000 * took / len(seeds):.0f} ms each")
    missing = whole.coverage.missing()
    if missing:
        _print(f"not covered: {', '.join(missing)}")
    for code, count in sorted(whole.codes.items()):
        _print(f"{code}: {count} seeds")
    return 1 if whole.failures or (missing and len(seeds) >= ENOUGH_FOR_ALL) else 0


def run_one(seed: int, *, whole: bool) -> int:
    """Runs one seed and prints its violations; with ``whole`` also the trace."""
    report = Runner().run(seed)
    if whole:
        for at, what, whom, how in report.trace.lines:
            _print(f"{at:12.3f}  {what:<12} {whom:<34} {how}".rstrip())
    if report.violations:
        _print(str(report))
        return 1
    _print(f"seed {seed}: no violations; trace {report.trace.digest()}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seeds", type=int, default=2_000, help="number of seeds")
    parser.add_argument("--from", type=int, default=1, dest="first", help="the first seed")
    parser.add_argument("--seed", type=int, help="run only this seed")
    parser.add_argument("--trace", action="store_true", help="with --seed: print the whole trace")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    chosen = parser.parse_args(arguments)
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    if chosen.seed is not None:
        return run_one(chosen.seed, whole=chosen.trace)
    return run_many(seeds, chosen.jobs)


if __name__ == "__main__":
    sys.exit(main())

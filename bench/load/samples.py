"""What a benchmark is, and what one turn of it answers."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from math import nan
from statistics import median
from typing import Any

from bench.load.workload import Workload
from bench.programs import Running
from bench.site import Site

#: What looks at the program under measurement while the measured work is done.
Watch = Callable[[Running], AbstractAsyncContextManager[None]]


def unwatched(_: Running) -> AbstractAsyncContextManager[None]:
    """Nobody looks, as wherever figures are taken."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn's work: ``warm_up`` first, which is not measured, then ``work``.

    ``watch`` is asked for where a profile is taken (``profile.py``), and kept by those benchmarks
    that have one.
    ``stored`` is how many events are in store before, for a benchmark with a full store.
    """

    warm_up: Workload
    work: Workload
    watch: Watch = unwatched
    stored: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One turn's figures: how much was done in how many seconds, and others by name.

    A name ends in its unit: ``p50_ms``, ``cpu_us``.
    """

    count: int
    seconds: float
    others: Mapping[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """How much was done in a second of the clock."""
        return self.count / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """How much was done in a second of processor time: steadier than the clock's.

        It counts the program, Kafka and Postgres; not a number where that was not measured.
        """
        return 1e6 / self.others["all_cpu_us"] if "all_cpu_us" in self.others else nan


#: Each benchmark's turns by its name, those of a round at the same index.
Samples = Mapping[str, Sequence[Sample]]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One row of the table.

    Args:
        name: what it is called for on the command line.
        what: what is measured, for a reader.
        run: one turn of it; raises BenchError when the work was not done right.
        beside: names of those it is compared with, which are run in every round too.
        kind: names the files in ``bench/results`` its figures are kept in.
        rounds: no more rounds of a run than these are its own.
        share: of a turn's payments, how many it is given.
    """

    name: str
    what: str
    run: Callable[[Site, Turn], Coroutine[Any, Any, Sample]]
    beside: tuple[str, ...] = ()
    kind: str = "speed"
    rounds: int = 100
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several rounds, the least and the greatest."""

    median: float
    least: float
    greatest: float


def spread(figures: list[float]) -> Spread:
    """Of at least one figure."""
    return Spread(median(figures), min(figures), max(figures))

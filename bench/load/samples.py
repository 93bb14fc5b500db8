"""A benchmark, its turns and its figures."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from math import nan
from statistics import median
from typing import Any

from bench.load.workload import Workload
from bench.programs import Running
from bench.site import Site

#: Observes the program during the measured work, such as a profiler.
Watch = Callable[[Running], AbstractAsyncContextManager[None]]


def unwatched(_: Running) -> AbstractAsyncContextManager[None]:
    """Observes nothing; the default for measurements."""
    return nullcontext()


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn's work: an unmeasured ``warm_up``, then ``work``.

    ``watch`` observes the program for a profile (``profile.py``), in benchmarks that support it.
    ``stored`` is the number of stored events for a benchmark with a full store.
    """

    warm_up: Workload
    work: Workload
    watch: Watch = unwatched
    stored: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One turn's figures: the amount of work, the seconds it took, and others by name.

    A name ends in its unit: ``p50_ms``, ``cpu_us``.
    """

    count: int
    seconds: float
    others: Mapping[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """The work per second of wall time."""
        return self.count / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """The work per second of CPU time, which varies less than wall time.

        The CPU time is that of the program, Kafka and Postgres; NaN if it was not measured.
        """
        return 1e6 / self.others["all_cpu_us"] if "all_cpu_us" in self.others else nan


#: The turns of each benchmark, by its name; a round has the same index in all.
Samples = Mapping[str, Sequence[Sample]]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One row of the table.

    Args:
        name: its name on the command line.
        what: a description of what it measures.
        run: runs one turn; raises BenchError if the result is wrong.
        compared_with: names of benchmarks to compare with, which run in every round too.
        kind: the name of its files in ``bench/results``.
        rounds: the most rounds it takes part in.
        share: its share of a turn's payments.
    """

    name: str
    what: str
    run: Callable[[Site, Turn], Coroutine[Any, Any, Sample]]
    compared_with: tuple[str, ...] = ()
    kind: str = "speed"
    rounds: int = 100
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, minimum and maximum over several rounds."""

    median: float
    least: float
    greatest: float


def spread(figures: list[float]) -> Spread:
    """The spread of at least one figure."""
    return Spread(median(figures), min(figures), max(figures))

"""Runs one seed and reports its violations."""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry

from ingress.metrics import Metrics as IngressMetrics
from processor.stream.metrics import StreamMetrics
from processor.worker.metrics import WorkerMetrics
from runtime import logs
from tests.simulation import loop
from tests.simulation.judging.violation import Violation
from tests.simulation.programs.machine import Counters
from tests.simulation.programs.parts import REAL, Parts
from tests.simulation.trace import Trace
from tests.simulation.world import World

#: Lines of a trace that are printed, from its end.
SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one seed."""

    seed: int
    violations: tuple[Violation, ...]
    trace: Trace
    #: How often each fault, outcome and transition occurred, and each crash point was used.
    met: Counter[str]
    crashed_at: Counter[str]

    def __str__(self) -> str:
        """The first violations, the payment's trace, and the command that repeats the run."""
        first = self.violations[0]
        lines = [f"seed {self.seed}: {v.code} {v.payment_id} {v.what}" for v in self.violations[:5]]
        if first.payment_id:
            lines += list(self.trace.about(first.payment_id))[-SHOWN:]
        return "\n".join([*lines, f"again: make sim SEED={self.seed}"])


class Runner:
    """Runs seeds, one after the other, with the programs' real parts or replacements."""

    def __init__(self, parts: Parts = REAL) -> None:
        logs.configure_structlog()  # by default it prints each line, and tracebacks in colors
        self._parts = parts
        self._counters = Counters(
            StreamMetrics(CollectorRegistry()), WorkerMetrics(CollectorRegistry()), IngressMetrics()
        )

    def run(self, seed: int) -> Report:
        """Runs one seed; the result depends on its number only."""
        return loop.run(self._live(seed), seed)

    async def _live(self, seed: int) -> Report:
        world = World(seed, self._parts, self._counters)
        await world.run()
        chance = world.chance
        return Report(seed, tuple(world.violations), world.trace, chance.met, chance.crashed_at)

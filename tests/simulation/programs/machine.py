"""A machine: it runs one program, restarts it after a death, and has its own clock."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from ingress.metrics import Metrics as IngressMetrics
from processor.stream.metrics import StreamMetrics
from processor.worker.metrics import WorkerMetrics
from schemas.settings import StreamSettings, StripeSettings, WorkerSettings
from tests.simulation.clock import SkewedClock
from tests.simulation.faults import Chance
from tests.simulation.kafka.group import Group
from tests.simulation.kafka.log import Log
from tests.simulation.kafka.publishing import StateTopic
from tests.simulation.kafka.table import Changelog
from tests.simulation.outside.accounts import Accounts
from tests.simulation.postgres.database import Database
from tests.simulation.postgres.store import Watch
from tests.simulation.process import Process
from tests.simulation.programs.parts import Parts
from tests.simulation.trace import Trace


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of every program, with waits below a minute."""

    stream: StreamSettings
    work: WorkerSettings
    stripe: StripeSettings


@dataclass(frozen=True, slots=True)
class Counters:
    """The metrics, shared by all processes because no check reads them."""

    stream: StreamMetrics
    work: WorkerMetrics
    ingress: IngressMetrics


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Every program's surroundings: brokers, Postgres, the provider and the random draws."""

    parts: Parts
    settings: Settings
    counters: Counters
    chance: Chance
    trace: Trace
    log: Log
    database: Database
    state: StateTopic
    accounts: Accounts
    changelog: Changelog
    stream_group: Group
    router_group: Group
    watch: Watch
    #: Called with an error that should never stop a program.
    unforeseen: Callable[[str], None]
    accepted: list[str]


class Program(Protocol):
    """One process of a program."""

    process: Process

    def start(self) -> None:
        """Starts its work."""
        ...

    def on_paused(self) -> None:
        """Handles a pause of its process."""
        ...


Begin = Callable[[Process], Program]


class Machine:
    """Runs the processes of one program, one after the other.

    Args:
        name: of the machine.
        around: its surroundings.
        begin: creates the next process's program.
        trouble: multiplies the probability of pauses.
    """

    def __init__(self, name: str, around: Surroundings, begin: Begin, trouble: float = 1.0) -> None:
        self.name: Final = name
        self.clock: Final = SkewedClock()
        self._around = around
        self._begin = begin
        self._trouble = trouble
        self._lives = 0
        self._down_until = 0.0
        self._is_healed = False
        self._loop = asyncio.get_running_loop()
        self.program: Program | None = None

    def start(self) -> None:
        """Starts the next process, unless one is running or the machine is down."""
        if self._loop.time() < self._down_until:
            self._loop.call_at(self._down_until + 0.001, self.start)
            return
        if self.program is not None and not self.program.process.dead:
            return
        self._lives += 1
        name = f"{self.name}.{self._lives}"
        process = Process(
            name, self._around.chance, self._around.trace, self.clock, self._died, self._paused,
            self._trouble,
        )  # fmt: skip
        self.program = self._begin(process)
        self.program.start()

    def _died(self) -> None:
        wait = self._around.chance.between(0.05, 0.5 if self._is_healed else 6.0)
        self._loop.call_later(wait, self.start)

    def _paused(self) -> None:
        if self.program is not None:
            self.program.on_paused()

    def go_down(self, seconds: float) -> None:
        """Kills its program and is down for ``seconds``."""
        self._down_until = self._loop.time() + seconds
        if self.program is not None:
            self.program.process.kill("the machine goes down")

    def heal(self) -> None:
        """Brings the machine up, for good."""
        self._is_healed = True
        self._down_until = 0.0
        if self.program is not None:
            self.program.process.wake()
        self.start()

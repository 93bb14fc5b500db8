"""Whether a program is alive and ready. The decision is pure; the program supplies the state.

A program is *alive* while its event loop runs. It is *ready* while it is operational (the stream:
its partitions are assigned and recovered) and each of its parts makes progress. A short
interruption, such as a rebalance or a broker restart, does not end readiness: a deployment that
waits for readiness would otherwise see it flap.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from runtime.heartbeat import Heartbeat
from runtime.tasks import best_effort

#: Seconds without a beat of the event loop after which the program is not alive.
STALLED_S: Final = 30.0
#: Seconds that a program stays ready after it ceases to be operational.
GRACE_S: Final = 15.0
#: Seconds without progress of a part after which the program is not ready.
SILENT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSnapshot:
    """The state of a program at one moment. Durations are in seconds."""

    #: Since the event loop last ran.
    loop_stalled_s: float
    #: The program has what it needs in order to work.
    operational: bool
    #: It has been operational at least once.
    was_operational: bool
    #: Since ``operational`` last changed.
    unchanged_s: float
    #: By part: since it last made progress.
    silent_s: Mapping[str, float]


def is_alive(snapshot: HealthSnapshot) -> bool:
    """Whether the event loop runs."""
    return snapshot.loop_stalled_s <= STALLED_S


def not_ready(snapshot: HealthSnapshot) -> list[str]:
    """Returns the reasons why the program is not ready; empty if it is.

    The reasons name no host and no address.
    """
    found = [] if is_alive(snapshot) else ["the event loop is stalled"]
    in_grace = snapshot.was_operational and snapshot.unchanged_s <= GRACE_S
    if not snapshot.operational and not in_grace:
        found.append("start-up or partition recovery is not finished")
    silent = sorted(name for name, silent_s in snapshot.silent_s.items() if silent_s > SILENT_S)
    return found + [f"no progress: {name}" for name in silent]


@dataclass(slots=True, kw_only=True)
class Health:
    """A program's own view of its state. Its loop writes it; the health server's thread reads it.

    ``clock`` is a monotonic clock, in seconds.
    """

    clock: Callable[[], float] = monotonic
    #: By name: the parts that must make progress.
    heartbeats: Mapping[str, Heartbeat] = field(default_factory=dict)
    #: Called at each beat of the program's event loop.
    on_beat: Callable[[], None] | None = None
    _beaten_at: float = field(init=False)
    _operational: bool = field(init=False, default=False)
    _was_operational: bool = field(init=False, default=False)
    _changed_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._beaten_at = self._changed_at = self.clock()

    def beat(self) -> None:
        """Notes that the event loop runs."""
        self._beaten_at = self.clock()
        if self.on_beat is not None:
            with best_effort("heartbeat"):
                self.on_beat()

    def update(self, *, operational: bool) -> None:
        """Notes whether the program is operational from now on."""
        if operational != self._operational:
            self._changed_at = self.clock()
        self._operational = operational
        self._was_operational = self._was_operational or operational

    def snapshot(self) -> HealthSnapshot:
        """Returns the present state."""
        now = self.clock()
        return HealthSnapshot(
            loop_stalled_s=now - self._beaten_at,
            operational=self._operational,
            was_operational=self._was_operational,
            unchanged_s=now - self._changed_at,
            silent_s={name: heartbeat.silent_s for name, heartbeat in self.heartbeats.items()},
        )

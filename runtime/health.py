"""Whether a program lives and does its work. The decision is pure; the program says what it sees.

A program *lives* while its loop runs. It is *ready* while it has what it needs in order to work,
and every part of it makes progress. What passes soon (a rebalance, a broker that is started again)
does not make a program unready that was ready before: whoever waits for readiness would see it come
and go, and nobody would be helped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from runtime.heartbeat import Heartbeat
from runtime.tasks import best_effort

#: A loop that has not run for that long stands still, in seconds.
STALLED_S: Final = 30.0
#: A program that lost what it works on, and was ready before, stays ready for that long.
GRACE_S: Final = 15.0
#: A part that has made no progress for that long is not ready: an outage is no hiccup any more.
SILENT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """What is known of a program at a moment, in seconds."""

    #: For how long its loop has not run.
    still_s: float
    #: It has what it works on: a stream its partitions, recovered.
    in_place: bool
    #: It had that once.
    was_in_place: bool
    #: For how long it has had it, or has had it not.
    for_s: float
    #: By name: for how long a part has made no progress.
    silent_s: Mapping[str, float]


def is_alive(seen: HealthSnapshot) -> bool:
    """Whether its loop runs."""
    return seen.still_s <= STALLED_S


def not_ready(seen: HealthSnapshot) -> list[str]:
    """What keeps it from being ready, in words that name no place; nothing when it is."""
    found = [] if is_alive(seen) else ["its loop stands still"]
    if not seen.in_place and not (seen.was_in_place and seen.for_s <= GRACE_S):
        found.append("it has not got what it works on")
    silent = sorted(name for name, silent_s in seen.silent_s.items() if silent_s > SILENT_S)
    return found + [f"no progress: {name}" for name in silent]


@dataclass(slots=True)
class Health:
    """What a program says of itself; written by its loop, read by the status server's thread."""

    clock: Callable[[], float] = monotonic
    #: By name: the parts that must make progress.
    heartbeats: Mapping[str, Heartbeat] = field(default_factory=dict)
    #: What the program's loop does at each heartbeat.
    on_beat: Callable[[], None] | None = None
    _beaten: float = field(init=False)
    _in_place: bool = field(init=False, default=False)
    _was_in_place: bool = field(init=False, default=False)
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self._beaten = self._since = self.clock()

    def beat(self) -> None:
        """The loop runs."""
        self._beaten = self.clock()
        if self.on_beat is not None:
            with best_effort("heartbeat"):
                self.on_beat()

    def put(self, *, in_place: bool) -> None:
        """Whether it has what it works on, from now on."""
        if in_place != self._in_place:
            self._since = self.clock()
        self._in_place = in_place
        self._was_in_place = self._was_in_place or in_place

    def seen(self) -> HealthSnapshot:
        """All of it, now."""
        now = self.clock()
        return HealthSnapshot(
            now - self._beaten,
            self._in_place,
            self._was_in_place,
            now - self._since,
            {name: heartbeat.silent_s for name, heartbeat in self.heartbeats.items()},
        )

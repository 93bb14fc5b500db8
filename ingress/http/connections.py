"""Every open connection of one worker process: how many, for how long, and which has to go.

A connection *waits* while its client has to act: to send the rest of a request, or the next one, or
to take an answer. It is *busy* while we do, with a request that arrived whole; then nothing takes
it away. It is *leaving* once it is refused, or its place is another's, until its socket is closed.

Where there is no room, the connection that has waited longest goes. Waiting begins when it is made,
when a head is complete, and when an answer is out; single bytes don't begin it again, so no trickle
makes a connection look young.
"""

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, Self

from ingress.metrics import Metrics
from runtime.logs import get_logger

NEVER: Final = math.inf
#: Under this name the lifespan state of an application has its ``Connections``.
STATE_KEY: Final = "connections"
#: Handles kept free for what is opened between two looks at how many are.
SPARE_FILES: Final = 32
#: Most connections that linger until their client has read why they end.
CLOSING_MAX: Final = 64
LINGER_S: Final = 2.0
#: How often, at most, the log says how many connections were closed.
LOG_EVERY_S: Final = 10.0
_LONGEST_SWEEP_S: Final = 1.0
#: Ends that a well-behaved client brings about too.
_ORDINARY: Final = frozenset({"client", "answered", "idle", "shutdown"})

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What connections may take: times in seconds, sizes in bytes."""

    head_bytes: int
    head_s: float
    body_s: float
    keep_alive_s: float
    response_s: float
    connections: int
    #: The limit of open files; the number of connections stays below it, whatever else is open.
    open_files: int


class Connection(Protocol):
    """What is asked of a connection."""

    #: When ``expire`` is due, by the clock of the event loop; ``NEVER`` for no deadline.
    deadline: float

    def expire(self) -> None:
        """The deadline has passed."""

    def evict(self) -> None:
        """It has to make room."""

    def refuse(self) -> None:
        """It is new, and there is no room."""

    def abort(self) -> None:
        """It goes at once, whatever is still to be sent."""


class Connections:
    """An async context manager: inside it, deadlines are kept.

    Args:
        limits: see ``Limits``.
        metrics: what is counted.
        handles: how many files the process has open, or None if that can't be found out.
    """

    def __init__(
        self, limits: Limits, metrics: Metrics, handles: Callable[[], int | None] = lambda: None
    ) -> None:
        self.limits: Final = limits
        self._metrics = metrics
        self._handles = handles
        self._most = limits.connections
        # Each is a set that remembers the order in which its members came.
        self._waiting: dict[Connection, None] = {}
        self._busy: dict[Connection, None] = {}
        self._closing: dict[Connection, None] = {}
        self._ends: Counter[str] = Counter()
        self._log_at = 0.0
        self._sweeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._sweeper = asyncio.create_task(self._sweep_forever())
        return self

    async def __aexit__(self, *_exception: object) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        self._log_closed()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._busy) + len(self._closing)

    def add(self, connection: Connection) -> None:
        """It is new. Where there is no room, the longest waiting one goes, or else this one."""
        self._metrics.open_connections.inc()
        self._waiting[connection] = None
        if len(self._waiting) + len(self._busy) > self._most:
            longest = next(iter(self._waiting))
            if longest is connection:
                connection.refuse()
            else:
                longest.evict()

    def mark_waiting(self, connection: Connection) -> None:
        """From now on, its client has to act."""
        self._busy.pop(connection, None)
        self._waiting.pop(connection, None)
        self._waiting[connection] = None

    def mark_busy(self, connection: Connection) -> None:
        """A request is there, whole."""
        self._waiting.pop(connection, None)
        self._busy[connection] = None

    def mark_closing(self, connection: Connection) -> None:
        """Its place is another's. It is closed as soon as its client knows, or by its deadline."""
        self._waiting.pop(connection, None)
        self._busy.pop(connection, None)
        self._closing[connection] = None
        if len(self._closing) > CLOSING_MAX:
            next(iter(self._closing)).abort()

    def discard(self, connection: Connection) -> None:
        """It is as good as closed."""
        self._waiting.pop(connection, None)
        self._busy.pop(connection, None)
        self._closing.pop(connection, None)

    def remove(self, connection: Connection, reason: str) -> None:
        """It is closed."""
        self.discard(connection)
        self._metrics.open_connections.dec()
        self._metrics.closed_connections.labels(reason).inc()
        self._ends[reason] += 1

    async def _sweep_forever(self) -> None:
        """Costs a look at each connection, so no request pays for a timer of its own."""
        limits = self.limits
        shortest = min(limits.head_s, limits.body_s, limits.keep_alive_s, limits.response_s)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_LONGEST_SWEEP_S, shortest / 4))
            try:
                self.sweep(loop.time())
            except Exception as error:  # noqa: BLE001  # deadlines are kept on, whatever failed once
                _log.error("connections.not_checked", error=type(error).__name__)

    def sweep(self, now: float) -> None:
        """Ends whatever is past its deadline, and what there is no room for any more."""
        for group in (self._waiting, self._busy, self._closing):
            for connection in [each for each in group if each.deadline <= now]:
                self._end(connection)
        self._make_room()
        if now >= self._log_at and self._log_closed():
            self._log_at = now + LOG_EVERY_S

    def _end(self, connection: Connection) -> None:
        try:
            connection.expire()
        except Exception as error:  # noqa: BLE001  # one that fails keeps no other from its deadline
            _log.error(  # its text may repeat what a client sent
                "connection.not_closed", error=type(error).__name__
            )
            connection.deadline = NEVER
            connection.abort()

    def _make_room(self) -> None:
        """Other files may be open than were reckoned with: connections are what can go."""
        used = self._handles()
        if used is None:
            return
        room = self.limits.open_files - SPARE_FILES - CLOSING_MAX - (used - len(self))
        most = max(1, min(self.limits.connections, room))
        if most < self._most:
            _log.warning(
                "connections.fewer",
                connections=most,
                open_files=used,
                limit=self.limits.open_files,
                note="other files are open, up to the limit of files",
            )
        self._most = most
        surplus = len(self._waiting) + len(self._busy) - most
        for connection in list(self._waiting)[: max(0, surplus)]:
            connection.evict()

    def _log_closed(self) -> bool:
        """One line for all connections closed since the last, if a client is to blame for one."""
        ends = dict(self._ends)
        self._ends.clear()
        if ends.keys() <= _ORDINARY:
            return False
        _log.warning("connections.closed", closed=ends, open=len(self))
        return True

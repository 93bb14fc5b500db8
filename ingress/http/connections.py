"""The open connections of one worker process: their limits, deadlines and eviction.

A connection is *waiting* while its client has to act: send a request or the rest of it, or read an
answer. It is *busy* while the application handles a complete request; then it is never evicted. It
is *closing* once it is refused or evicted, until its socket is closed.

At the limit, the connection that has been waiting longest is evicted. Waiting starts with the
connection, with a complete head and with a sent answer. Single bytes do not restart it, so a client
that sends one byte at a time gains nothing.
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
#: The key of the ``Connections`` in the application's lifespan state.
STATE_KEY: Final = "connections"
#: Files kept free for what is opened between two counts of the open files.
SPARE_FILES: Final = 32
#: Most connections in state closing. Their clients may still read why they were refused.
CLOSING_MAX: Final = 64
LINGER_S: Final = 2.0
#: Shortest time between two log lines about closed connections.
LOG_EVERY_S: Final = 10.0
_LONGEST_SWEEP_S: Final = 1.0
#: Reasons that well-behaved clients cause too. They are not logged.
_ORDINARY: Final = frozenset({"client", "answered", "idle", "shutdown"})

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the connections. Times are in seconds, sizes in bytes."""

    head_bytes: int
    head_s: float
    body_s: float
    keep_alive_s: float
    response_s: float
    connections: int
    #: The process's limit of open files. Connections make room for all other open files.
    open_files: int


class Connection(Protocol):
    """What ``Connections`` needs of a connection."""

    #: When ``expire`` is to be called, in the event loop's time. ``NEVER`` means no deadline.
    deadline: float

    def expire(self) -> None:
        """Ends it because its deadline has passed."""

    def evict(self) -> None:
        """Ends it to make room for another one."""

    def refuse(self) -> None:
        """Ends it, a new one, because there is no room."""

    def abort(self) -> None:
        """Closes it at once, without sending what is still to be sent."""


class Connections:
    """All connections of one worker process. As an async context manager it enforces deadlines.

    Args:
        limits: see ``Limits``.
        metrics: counts open and closed connections.
        open_files: returns how many files the process has open, or None if that is unknown.
    """

    def __init__(
        self, limits: Limits, metrics: Metrics, open_files: Callable[[], int | None] = lambda: None
    ) -> None:
        self.limits: Final = limits
        self._metrics = metrics
        self._open_files = open_files
        self._max = limits.connections
        # Each is a set in order of insertion.
        self._waiting: dict[Connection, None] = {}
        self._busy: dict[Connection, None] = {}
        self._closing: dict[Connection, None] = {}
        self._reasons: Counter[str] = Counter()
        self._log_at = 0.0
        self._sweeper: asyncio.Task[None] | None = None
        self._at_shutdown: list[Callable[[], None]] = []

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

    def at_shutdown(self, call: Callable[[], None]) -> None:
        """Has this called once the server closes its connections, after their present answers."""
        self._at_shutdown.append(call)

    def shut_down(self) -> None:
        """Calls what is to be called, once."""
        calls, self._at_shutdown = self._at_shutdown, []
        for call in calls:
            call()

    def add(self, connection: Connection) -> None:
        """Adds a new one. At the limit, evicts the longest waiting one or refuses the new one."""
        self._metrics.open_connections.inc()
        self._waiting[connection] = None
        if len(self._waiting) + len(self._busy) > self._max:
            longest = next(iter(self._waiting))
            if longest is connection:
                connection.refuse()
            else:
                longest.evict()

    def mark_waiting(self, connection: Connection) -> None:
        """From now on its client has to act."""
        self._busy.pop(connection, None)
        self._waiting.pop(connection, None)
        self._waiting[connection] = None

    def mark_busy(self, connection: Connection) -> None:
        """From now on the application handles its complete request."""
        self._waiting.pop(connection, None)
        self._busy[connection] = None

    def mark_closing(self, connection: Connection) -> None:
        """It no longer counts. It closes once its client has the answer, or at its deadline."""
        self._waiting.pop(connection, None)
        self._busy.pop(connection, None)
        self._closing[connection] = None
        if len(self._closing) > CLOSING_MAX:
            next(iter(self._closing)).abort()

    def discard(self, connection: Connection) -> None:
        """Removes it from all states: its socket is being closed."""
        self._waiting.pop(connection, None)
        self._busy.pop(connection, None)
        self._closing.pop(connection, None)

    def remove(self, connection: Connection, reason: str) -> None:
        """Counts it as closed for this reason."""
        self.discard(connection)
        self._metrics.open_connections.dec()
        self._metrics.closed_connections.labels(reason).inc()
        self._reasons[reason] += 1

    async def _sweep_forever(self) -> None:
        """Checks all deadlines periodically. A timer for each request would cost more."""
        limits = self.limits
        shortest = min(limits.head_s, limits.body_s, limits.keep_alive_s, limits.response_s)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_LONGEST_SWEEP_S, shortest / 4))
            try:
                self.sweep(loop.time())
            except Exception as error:  # noqa: BLE001  # one failure must not end the enforcement of deadlines
                _log.error("connections.not_checked", error=type(error).__name__)

    def sweep(self, now: float) -> None:
        """Ends the connections that are past their deadline or over the limit."""
        for group in (self._waiting, self._busy, self._closing):
            for connection in [each for each in group if each.deadline <= now]:
                self._end(connection)
        self._make_room()
        if now >= self._log_at and self._log_closed():
            self._log_at = now + LOG_EVERY_S

    def _end(self, connection: Connection) -> None:
        try:
            connection.expire()
        except Exception as error:  # noqa: BLE001  # one failure must not keep others from their deadline
            _log.error(  # its text may repeat what a client sent
                "connection.not_closed", error=type(error).__name__
            )
            connection.deadline = NEVER
            connection.abort()

    def _make_room(self) -> None:
        """Lowers the limit of connections while other open files use up the limit of files."""
        used = self._open_files()
        if used is None:
            return
        room = self.limits.open_files - SPARE_FILES - CLOSING_MAX - (used - len(self))
        most = max(1, min(self.limits.connections, room))
        if most < self._max:
            _log.warning(
                "connections.fewer",
                connections=most,
                open_files=used,
                limit=self.limits.open_files,
                note="other open files use up the limit of open files",
            )
        self._max = most
        surplus = len(self._waiting) + len(self._busy) - most
        for connection in list(self._waiting)[: max(0, surplus)]:
            connection.evict()

    def _log_closed(self) -> bool:
        """Logs the connections closed since the last line, if any was not ordinary.

        Returns whether it logged.
        """
        reasons = dict(self._reasons)
        self._reasons.clear()
        if reasons.keys() <= _ORDINARY:
            return False
        _log.warning("connections.closed", closed=reasons, open=len(self))
        return True

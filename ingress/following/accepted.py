"""Finds commands that are accepted and not decided yet, by following the log.

What Postgres does not have may be in the log. To say that it is not there either, this process must
have read the log up to its end as of the request, and the stream must have decided all that the
window does not reach back to.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from time import monotonic
from typing import Final, Protocol, Self

from aiokafka import TopicPartition
from aiokafka.partitioner import DefaultPartitioner
from pydantic import ValidationError

from ingress.errors import NotKnownYetError
from ingress.following.window import CommandWindow
from ingress.metrics import Metrics
from messaging.lag import acknowledged
from messaging.log_follower import LogFollower, Positions, Records
from messaging.log_reader import Extent
from messaging.log_seeker import records_at
from ports.failures import BROKERS_UNAVAILABLE, RETRYABLE_ON_CONNECT
from schemas.commands import VALUE, CancelPayment, Command, CreatePayment, ReleasePayment
from schemas.topics import APP_ID, PAYMENT_COMMANDS

#: How long a request waits until the log is read up to its end.
CATCH_UP_S: Final = 0.5
#: How long it waits for a command that is read from the log again, and how many may be at a time.
FETCH_S: Final = 2.0
FETCHES_MAX: Final = 4
#: The shortest time between two questions for what the stream has decided.
ASK_EVERY_S: Final = 1.0

Found = tuple[int, int] | None


class AcceptedCommands(Protocol):
    """The accepted commands that may not be in Postgres yet."""

    async def create_of(self, payment_id: str) -> CreatePayment | None:
        """Returns the payment's create; None if all that the log has is decided, or of others.

        So None says: Postgres has it now, or there is none. Raises NotKnownYetError.
        """
        ...

    async def command_of(self, payment_id: str, event_id: str) -> Command | None:
        """The same for any command, by its event ID."""
        ...


class FollowedCommands:
    """``AcceptedCommands`` from the log; an async context manager that does not wait for it."""

    def __init__(
        self, bootstrap: str, partitions: int, metrics: Metrics, window: CommandWindow | None = None
    ) -> None:
        self._bootstrap = bootstrap
        self._numbers = list(range(partitions))
        self._metrics = metrics
        self._window = window or CommandWindow()
        self._partition_of = DefaultPartitioner()
        self._follower = LogFollower(
            bootstrap, [PAYMENT_COMMANDS], partitions, begin=self._begin, take=self._take
        )
        #: Up to here the stream has decided all, by partition.
        self._decided: dict[TopicPartition, int] = {}
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = 0.0
        self._fetches = asyncio.Semaphore(FETCHES_MAX)

    async def __aenter__(self) -> Self:
        await self._follower.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
        await self._follower.__aexit__(*exception)

    async def create_of(self, payment_id: str) -> CreatePayment | None:
        """See ``AcceptedCommands.create_of``."""
        found = await self._find(payment_id, lambda: self._window.create_of(payment_id))
        return found if isinstance(found, CreatePayment) else None

    async def command_of(self, payment_id: str, event_id: str) -> Command | None:
        """See ``AcceptedCommands.command_of``."""
        found = await self._find(payment_id, lambda: self._window.command_of(event_id))
        if isinstance(found, CancelPayment) and found.expired:
            return None  # nobody asked for it
        return found if found is not None and found.event_id == event_id else None

    async def _find(self, payment_id: str, look: Callable[[], Found]) -> Command | None:
        """Returns the command that ``look`` finds, if it is one about this payment."""
        try:
            async with asyncio.timeout(CATCH_UP_S):
                at = await self._look(payment_id, look)
            value = None if at is None else await self._value(*at)
        except (TimeoutError, *RETRYABLE_ON_CONNECT) as error:
            self._metrics.following.lookups.labels("unknown").inc()
            raise NotKnownYetError from error
        if value is None:
            self._metrics.following.lookups.labels("absent").inc()
            return None
        self._metrics.following.lookups.labels("found").inc()
        try:
            command = VALUE.validate_json(value)
        except ValidationError:
            return None  # it becomes a dead letter
        if isinstance(command, ReleasePayment) or command.payment_id != payment_id:
            return None
        return command

    async def _look(self, payment_id: str, look: Callable[[], Found]) -> Found:
        """Returns what ``look`` finds once the log is read up to its end as of now."""
        number = self._partition_of(payment_id.encode(), self._numbers, self._numbers)
        partition = TopicPartition(PAYMENT_COMMANDS, number)
        await self._follower.catch_up([partition])
        found, begin = look(), self._window.begin(number)
        if found is None and self._decided.get(partition, 0) < begin:
            await self._ask_what_is_decided()
            if self._decided.get(partition, 0) < begin:
                raise TimeoutError("the window does not reach back to what is decided")
        return found

    async def _value(self, partition: int, offset: int) -> bytes:
        """Returns the command at this place. Raises TimeoutError if it is not to be had."""
        if (known := self._window.value(partition, offset)) is not None:
            return known
        async with asyncio.timeout(FETCH_S), self._fetches:
            found = records_at(self._bootstrap, PAYMENT_COMMANDS, {partition: [offset]})
            async with aclosing(found):  # type: ignore[type-var]  # a generator is declared an iterator
                async for records in found:
                    for record in records:
                        return record.value or b""
        raise TimeoutError("the log does not have it any more")

    async def _begin(self, extent: Extent, known: Positions) -> Positions:
        """Goes on where it was; else begins at what the stream has not decided yet."""
        if all(first <= known.get(each, -1) <= end for each, (first, end) in extent.items()):
            return known
        committed = await acknowledged(self._bootstrap, APP_ID, extent)
        most = self._window.commands_max // len(extent)
        self._decided, begins = {}, {}
        for each, (first, end) in extent.items():
            self._decided[each] = min(max(committed[each], first), end)
            begins[each] = max(self._decided[each], end - most)
        self._window.restart({each.partition: begin for each, begin in begins.items()})
        return begins

    def _take(self, records: Records) -> None:
        add = self._window.add
        for record in records:
            add(record.partition, record.offset, record.key, record.value or b"")

    async def _ask_what_is_decided(self) -> None:
        """Asks for the stream's committed offsets; all that need them share one question."""
        if self._asking is None:
            if monotonic() - self._asked_at < ASK_EVERY_S:
                return
            self._asking = asyncio.create_task(self._ask(), name="committed-offsets")
        await asyncio.wait({self._asking})

    async def _ask(self) -> None:
        try:
            found = await acknowledged(self._bootstrap, APP_ID, list(self._decided))
        except (TimeoutError, *BROKERS_UNAVAILABLE):
            return  # it is as unknown as before
        finally:
            self._asking, self._asked_at = None, monotonic()
        for each, offset in found.items():
            self._decided[each] = max(offset, self._decided.get(each, 0))

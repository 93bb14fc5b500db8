"""Which aiokafka producer is the one in use: connected with patience, replaced by identity."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaProducer

from messaging.lifetime import CLOSE_DEADLINE_S, close_producer, start_client
from ports.errors import NotDeliveredError
from ports.failures import RETRYABLE_ON_CONNECT
from ports.producer_record import OVERHEAD_BYTES
from runtime.logs import get_logger
from schemas.topics import BATCH_BYTES_MAX

CONNECT_DEADLINE_S: Final = 10.0
REQUEST_TIMEOUT_MS: Final = 10_000
#: Between two attempts to connect, with full jitter.
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 2.0
#: Instances that are being closed at a time; no new one is opened beyond that.
CLOSING_MAX: Final = 4
#: The longest ``close`` takes.
STOP_DEADLINE_S: Final = CLOSE_DEADLINE_S + 1.0

_log = get_logger(__name__)

#: Asked before an instance is used; raises TopicsNotReadyError.
Check = Callable[[AIOKafkaProducer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Target:
    """The brokers (``host:port,...``), and what is asked of one record."""

    bootstrap: str
    client_id: str
    max_value_bytes: int
    #: How long a record waits for others to share a request with.
    linger_ms: int = 2


@dataclass(slots=True, eq=False)
class Instance:
    """One started aiokafka producer, and when it last had an acknowledgement."""

    producer: AIOKafkaProducer
    acknowledged_at: float = 0.0


class Instances:
    """The instance in use, or none and why. ``replaced`` is called when one is given up."""

    def __init__(self, target: Target, check: Check, replaced: Callable[[], None]) -> None:
        self._target = target
        self._check = check
        self._replaced = replaced
        self.current: Instance | None = None
        self.why_not = "not connected yet"
        self._changed = asyncio.Event()
        self._connecting: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def connect(self) -> None:
        """Begins to connect, unless it is connected or at it already."""
        if self.current is None and self._connecting is None and not self._is_closed:
            self._connecting = asyncio.create_task(self._keep_trying(), name="kafka-connecting")

    async def wait(self) -> Instance:
        """The instance in use, once there is one. The caller sets the deadline.

        Raises NotDeliveredError where it is closed.
        """
        while self.current is None:
            if self._is_closed:
                raise NotDeliveredError(self.why_not, sent=False)
            self.connect()
            await self._changed.wait()
        return self.current

    def replace(self, instance: Instance, why: str) -> None:
        """Gives this instance up. Where another task was first, there is nothing to do."""
        if self.current is not instance:
            return
        self._let_go(instance, why)
        self._replaced()
        _log.warning("producer.replaced", client_id=self._target.client_id, reason=why)
        self.connect()

    async def close(self) -> None:
        """Closes for good, within ``STOP_DEADLINE_S``, whether the brokers answer or not."""
        self._is_closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self.current is not None:
            self._let_go(self.current, "closed")
        self.why_not = "closed"
        self._changed.set()  # those that wait for a connection need not wait
        ending = self._closing | ({self._connecting} if self._connecting is not None else set())
        if ending:
            await asyncio.wait(ending, timeout=STOP_DEADLINE_S)

    def _let_go(self, instance: Instance, why: str) -> None:
        self.current, self.why_not = None, why
        self._changed.clear()
        task = asyncio.create_task(close_producer(instance.producer), name="kafka-closing")
        self._closing.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("producer.not_closed", client_id=self._target.client_id, exc_info=error)

    async def _keep_trying(self) -> None:
        """Until there is an instance. Whatever keeps it from being one may pass."""
        longest = FIRST_WAIT_S
        while True:
            while len(self._closing) >= CLOSING_MAX:
                await asyncio.wait(self._closing, return_when=asyncio.FIRST_COMPLETED)
            try:
                self.current = Instance(await self._open())
            except Exception as error:  # noqa: BLE001  # whatever it is, nobody else tries again
                self._note(error)
            else:
                break
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311  # jitter is no secret
            longest = min(longest * 2, LONGEST_WAIT_S)
        self._connecting = None
        self._changed.set()
        _log.info("producer.connected", client_id=self._target.client_id)

    async def _open(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._target.bootstrap,
            client_id=self._target.client_id,
            acks="all",
            enable_idempotence=True,
            linger_ms=self._target.linger_ms,
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=self._target.max_value_bytes + OVERHEAD_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            await start_client(producer, CONNECT_DEADLINE_S)
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                await self._check(producer)
        except BaseException:
            await close_producer(producer)
            raise
        return producer

    def _note(self, error: Exception) -> None:
        """Says why there is no connection; in the log only when the reason is a new one."""
        why = str(error) or f"no answer from {self._target.bootstrap}"
        if why != self.why_not:
            known = isinstance(error, RETRYABLE_ON_CONNECT)
            _log.warning(
                "producer.not_connected",
                client_id=self._target.client_id,
                reason=why,
                exc_info=None if known else error,
            )
        self.why_not = why

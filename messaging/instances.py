"""Connects the aiokafka producer that is in use, and replaces it when it fails."""

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
from schemas.topics import BATCH_BYTES_MAX, COMPRESSION

CONNECT_DEADLINE_S: Final = 10.0
REQUEST_TIMEOUT_MS: Final = 10_000
#: The back-off between two attempts to connect, in seconds, with full jitter.
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 2.0
#: How many instances may be closing at once; no new one is opened beyond that.
CLOSING_MAX: Final = 4
#: The longest that ``close`` takes, in seconds.
STOP_DEADLINE_S: Final = CLOSE_DEADLINE_S + 1.0

_log = get_logger(__name__)

#: Called before an instance is used. Raises TopicsNotReadyError.
Check = Callable[[AIOKafkaProducer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ProducerConfig:
    """The brokers (``host:port,...``), and the largest record value in bytes."""

    bootstrap: str
    client_id: str
    max_value_bytes: int
    #: How long a record waits for others to share its request, in milliseconds.
    linger_ms: int = 2
    #: The same where many records come; 0: as long as where few do.
    linger_max_ms: int = 0
    #: The partitions over which many records are spread.
    partitions: int = 1


@dataclass(slots=True, eq=False)
class Instance:
    """One started aiokafka producer, and the monotonic time of its last acknowledgement."""

    producer: AIOKafkaProducer
    acknowledged_at: float = 0.0


class Instances:
    """The instance in use, or the reason why there is none.

    Args:
        config: how to connect.
        check: must pass before an instance is used.
        replaced: called when an instance is replaced.
    """

    def __init__(self, config: ProducerConfig, check: Check, replaced: Callable[[], None]) -> None:
        self._config = config
        self._check = check
        self._replaced = replaced
        self.current: Instance | None = None
        self.unavailable_reason = "not connected yet"
        self._changed = asyncio.Event()
        self._connecting: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def connect(self) -> None:
        """Starts to connect in the background, unless connected or connecting."""
        if self.current is None and self._connecting is None and not self._is_closed:
            self._connecting = asyncio.create_task(
                self._connect_with_retries(), name="kafka-connecting"
            )

    async def wait(self) -> Instance:
        """Returns the instance in use, once there is one. The caller sets the timeout.

        Raises NotDeliveredError if it is closed.
        """
        while self.current is None:
            if self._is_closed:
                raise NotDeliveredError(self.unavailable_reason, sent=False)
            self.connect()
            await self._changed.wait()
        return self.current

    def replace(self, instance: Instance, why: str) -> None:
        """Replaces this instance, unless another task has already replaced it."""
        if self.current is not instance:
            return
        self._retire(instance, why)
        self._replaced()
        _log.warning("producer.replaced", client_id=self._config.client_id, reason=why)
        self.connect()

    async def close(self) -> None:
        """Closes within ``STOP_DEADLINE_S`` seconds, even if the brokers do not respond."""
        self._is_closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self.current is not None:
            self._retire(self.current, "closed")
        self.unavailable_reason = "closed"
        self._changed.set()  # wakes the tasks that wait for a connection
        ending = self._closing | ({self._connecting} if self._connecting is not None else set())
        if ending:
            await asyncio.wait(ending, timeout=STOP_DEADLINE_S)

    def _retire(self, instance: Instance, why: str) -> None:
        self.current, self.unavailable_reason = None, why
        self._changed.clear()
        task = asyncio.create_task(close_producer(instance.producer), name="kafka-closing")
        self._closing.add(task)
        task.add_done_callback(self._on_closed)

    def _on_closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("producer.close_failed", client_id=self._config.client_id, exc_info=error)

    async def _connect_with_retries(self) -> None:
        """Tries until there is an instance, with back-off. Any error may be temporary."""
        longest = FIRST_WAIT_S
        while True:
            while len(self._closing) >= CLOSING_MAX:
                await asyncio.wait(self._closing, return_when=asyncio.FIRST_COMPLETED)
            try:
                self.current = Instance(await self._open())
            except Exception as error:  # noqa: BLE001  # any error: nothing else would try again
                self._log_failure(error)
            else:
                break
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311  # jitter is no secret
            longest = min(longest * 2, LONGEST_WAIT_S)
        self._connecting = None
        self._changed.set()
        _log.info("producer.connected", client_id=self._config.client_id)

    async def _open(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._config.bootstrap,
            client_id=self._config.client_id,
            acks="all",
            enable_idempotence=True,
            linger_ms=self._config.linger_ms,
            max_batch_size=BATCH_BYTES_MAX,
            compression_type=COMPRESSION,
            max_request_size=self._config.max_value_bytes + OVERHEAD_BYTES,
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

    def _log_failure(self, error: Exception) -> None:
        """Keeps the reason for the missing connection, and logs it if it changed."""
        why = str(error) or f"no response from {self._config.bootstrap}"
        if why != self.unavailable_reason:
            known = isinstance(error, RETRYABLE_ON_CONNECT)
            _log.warning(
                "producer.connection_failed",
                client_id=self._config.client_id,
                reason=why,
                exc_info=None if known else error,
            )
        self.unavailable_reason = why

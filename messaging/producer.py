"""The producer that every program uses. Each send is confirmed by the brokers or fails in time.

aiokafka's idempotent producer never expires a batch, and it stays broken after some errors. So
every wait has a timeout, and an instance that failed or stalled is replaced. A late error replaces
only the instance that it came from. Records in flight are limited in number and in bytes.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from messaging.in_flight import InFlightLimiter, InFlightLimits
from messaging.instances import Check, Instance, Instances, ProducerConfig
from messaging.linger import Linger
from ports.errors import NotDeliveredError, RecordTooLargeError
from ports.failures import RETRYABLE_ON_CONNECT
from ports.producer_record import ProducerRecord

DEFAULT_LIMITS: Final = InFlightLimits()
#: Seconds that the readiness probe waits for the brokers.
PROBE_TIMEOUT_S: Final = 1.0


class DeliveryObserver(Protocol):
    """Receives measurements. Each program counts them in its own metrics."""

    def in_flight(self, records: int) -> None:
        """Notes how many records are sent and not acknowledged."""
        ...

    def delivered(self, topic: str, seconds: float) -> None:
        """Notes that a record was acknowledged, this many seconds after it was sent."""
        ...

    def replaced(self) -> None:
        """Notes that an instance was replaced."""
        ...


class NullObserver:
    """Ignores all measurements."""

    def in_flight(self, records: int) -> None:
        """See ``DeliveryObserver.in_flight``."""

    def delivered(self, topic: str, seconds: float) -> None:
        """See ``DeliveryObserver.delivered``."""

    def replaced(self) -> None:
        """See ``DeliveryObserver.replaced``."""


async def no_check(_producer: AIOKafkaProducer) -> None:
    """A ``Check`` that always passes."""


class Producer:
    """An idempotent producer for any number of tasks.

    It connects on ``connect()`` or at the first ``send``, and reconnects on its own.
    """

    def __init__(
        self,
        target: ProducerConfig,
        *,
        check: Check = no_check,
        observer: DeliveryObserver | None = None,
        limits: InFlightLimits = DEFAULT_LIMITS,
    ) -> None:
        self._observer = observer or NullObserver()
        self._check = check
        self._limiter = InFlightLimiter(limits, self._observer.in_flight)
        self._instances = Instances(target, check, self._observer.replaced)
        longest_ms = max(target.linger_ms, target.linger_max_ms)
        self._linger = Linger(target.linger_ms, longest_ms, target.partitions)

    def connect(self) -> None:
        """Starts to connect in the background, unless connected or connecting."""
        self._instances.connect()

    async def close(self) -> None:
        """Closes within ``STOP_DEADLINE_S`` seconds, even if the brokers do not respond."""
        await self._instances.close()

    async def publish(self, record: ProducerRecord, timeout_s: float) -> None:
        """Returns once every in-sync replica has the record. Does not wait for a connection.

        Raises NotDeliveredError, RecordTooLargeError. ``timeout_s`` is in seconds.
        """
        instance, size = self._instances.current, record.size
        if instance is None:
            raise NotDeliveredError(self._instances.unavailable_reason, sent=False)
        if not self._limiter.try_acquire(size):
            raise NotDeliveredError("too many records are in flight", sent=False)
        started = monotonic()
        if (linger_s := self._linger.note(started)) is not None:
            accumulator = instance.producer._message_accumulator  # noqa: SLF001  # no public way
            accumulator._linger_time = linger_s  # noqa: SLF001  # as above
        try:
            async with asyncio.timeout(timeout_s):
                delivery = await instance.producer.send(
                    record.topic, record.value, record.key, headers=record.headers
                )
                await delivery
        except (KafkaError, TimeoutError) as error:
            raise self._failure(instance, error, started, timeout_s) from error
        finally:
            self._limiter.release(size)
        instance.acknowledged_at = monotonic()
        self._observer.delivered(record.topic, instance.acknowledged_at - started)

    async def send(self, records: Sequence[ProducerRecord], timeout_s: float) -> None:
        """Sends records in order and returns once every in-sync replica has them.

        Waits for a connection and for capacity within the same ``timeout_s`` seconds. Raises
        NotDeliveredError, RecordTooLargeError; any of the records may have been written then.
        """
        if not records:
            return
        instance, started = None, monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                instance = await self._instances.wait()
                started = monotonic()
                await self._deliver(instance, records)
        except (KafkaError, TimeoutError) as error:
            if instance is None:
                raise NotDeliveredError(self._instances.unavailable_reason, sent=False) from error
            raise self._failure(instance, error, started, timeout_s) from error

    async def unavailable_reason(self) -> str | None:
        """Returns why records can't be published now; None if they can."""
        instance = self._instances.current
        if instance is None:
            return self._instances.unavailable_reason
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await self._check(instance.producer)
        except RETRYABLE_ON_CONNECT as error:
            return str(error) or "the brokers do not respond"
        return None

    async def _deliver(self, instance: Instance, records: Sequence[ProducerRecord]) -> None:
        deliveries: list[asyncio.Future[Any]] = []
        try:
            for record in records:
                await self._limiter.acquire(record.size)
                try:
                    delivery = await instance.producer.send(
                        record.topic, record.value, record.key, headers=record.headers
                    )
                except BaseException:
                    self._limiter.release(record.size)
                    raise
                delivery.add_done_callback(partial(self._on_done, instance, record, monotonic()))
                deliveries.append(delivery)
            await asyncio.gather(*deliveries)
        finally:
            for delivery in deliveries:
                if not delivery.cancel() and not delivery.cancelled():
                    delivery.exception()  # the first one is raised, the others retrieved here

    def _on_done(
        self,
        instance: Instance,
        record: ProducerRecord,
        started: float,
        delivery: asyncio.Future[Any],
    ) -> None:
        self._limiter.release(record.size)
        if not delivery.cancelled() and delivery.exception() is None:
            instance.acknowledged_at = monotonic()
            self._observer.delivered(record.topic, instance.acknowledged_at - started)

    def _failure(
        self,
        instance: Instance,
        error: KafkaError | TimeoutError,
        started: float,
        timeout_s: float,
    ) -> NotDeliveredError | RecordTooLargeError:
        """Returns our error for a failure. Replaces the instance if it can't recover."""
        if isinstance(error, TimeoutError):
            # Replace it only if nothing was acknowledged: one slow partition must not cost the
            # others their producer. Nor must a timeout that was mostly spent on connecting.
            had_time = monotonic() - started >= timeout_s / 2
            if had_time and instance.acknowledged_at < started:
                self._instances.replace(instance, "nothing was acknowledged")
            return NotDeliveredError("not acknowledged in time", sent=True)
        if isinstance(error, MessageSizeTooLargeError):
            return RecordTooLargeError(str(error))
        if not error.retriable:
            self._instances.replace(instance, repr(error))
        return NotDeliveredError(repr(error), sent=True)

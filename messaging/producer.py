"""The producer every program shares: the brokers' confirmation, or an error within the deadline.

aiokafka's idempotent producer never expires a batch, and stays broken after some errors. So every
wait has a deadline, and an instance that failed or stalled is replaced: that very instance, never
its successor. What is in flight is bounded in records and bytes.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from messaging.in_flight import InFlightLimiter, InFlightLimits
from messaging.instances import Check, Instance, Instances, Target
from ports.errors import NotDeliveredError, RecordTooLargeError
from ports.failures import RETRYABLE_ON_CONNECT
from ports.producer_record import ProducerRecord

DEFAULT_LIMITS: Final = InFlightLimits()
PROBE_DEADLINE_S: Final = 1.0


class Watch(Protocol):
    """What is measured; each program counts it in its own metrics."""

    def in_flight(self, records: int) -> None:
        """So many records are handed over and not acknowledged."""
        ...

    def delivered(self, topic: str, seconds: float) -> None:
        """A record was acknowledged, so long after it was handed over."""
        ...

    def replaced(self) -> None:
        """An instance was given up."""
        ...


class Unwatched:
    """A ``Watch`` that measures nothing."""

    def in_flight(self, records: int) -> None:
        """See ``Watch.in_flight``."""

    def delivered(self, topic: str, seconds: float) -> None:
        """See ``Watch.delivered``."""

    def replaced(self) -> None:
        """See ``Watch.replaced``."""


async def any_topics(_producer: AIOKafkaProducer) -> None:
    """A ``Check`` that asks for nothing."""


class Producer:
    """An idempotent producer for any number of tasks.

    It connects on ``connect()`` or with the first ``send``, and from then on again by itself.
    """

    def __init__(
        self,
        target: Target,
        *,
        check: Check = any_topics,
        watch: Watch | None = None,
        limits: InFlightLimits = DEFAULT_LIMITS,
    ) -> None:
        self._watch = watch or Unwatched()
        self._check = check
        self._room = InFlightLimiter(limits, self._watch.in_flight)
        self._instances = Instances(target, check, self._watch.replaced)

    def connect(self) -> None:
        """Begins to connect, unless it is connected or at it already. Needs no broker to be up."""
        self._instances.connect()

    async def close(self) -> None:
        """Closes for good, within ``STOP_DEADLINE_S``, whether the brokers answer or not."""
        await self._instances.close()

    async def publish(self, record: ProducerRecord, within_s: float) -> None:
        """Returns once every in-sync replica has the record. Does not wait for a connection.

        Raises NotDeliveredError, RecordTooLargeError.
        """
        instance, size = self._instances.current, record.size
        if instance is None:
            raise NotDeliveredError(self._instances.why_not, sent=False)
        if not self._room.try_take(size):
            raise NotDeliveredError("too many records wait already", sent=False)
        started = monotonic()
        try:
            async with asyncio.timeout(within_s):
                delivery = await instance.producer.send(
                    record.topic, record.value, record.key, headers=record.headers
                )
                await delivery
        except (KafkaError, TimeoutError) as error:
            raise self._failure(instance, error, started, within_s) from error
        finally:
            self._room.give_back(size)
        instance.acknowledged_at = monotonic()
        self._watch.delivered(record.topic, instance.acknowledged_at - started)

    async def send(self, records: Sequence[ProducerRecord], within_s: float) -> None:
        """Sends all, in order, and returns once every in-sync replica has them.

        Waits for a connection and for room within the same deadline.
        Raises NotDeliveredError, RecordTooLargeError; then the fate of each is unknown.
        """
        if not records:
            return
        instance, started = None, monotonic()
        try:
            async with asyncio.timeout(within_s):
                instance = await self._instances.wait()
                started = monotonic()
                await self._deliver(instance, records)
        except (KafkaError, TimeoutError) as error:
            if instance is None:
                raise NotDeliveredError(self._instances.why_not, sent=False) from error
            raise self._failure(instance, error, started, within_s) from error

    async def missing(self) -> str | None:
        """What keeps records from being published at this moment; None when nothing does."""
        instance = self._instances.current
        if instance is None:
            return self._instances.why_not
        try:
            async with asyncio.timeout(PROBE_DEADLINE_S):
                await self._check(instance.producer)
        except RETRYABLE_ON_CONNECT as error:
            return str(error) or "the brokers don't answer"
        return None

    async def _deliver(self, instance: Instance, records: Sequence[ProducerRecord]) -> None:
        deliveries: list[asyncio.Future[Any]] = []
        try:
            for record in records:
                await self._room.take(record.size)
                try:
                    delivery = await instance.producer.send(
                        record.topic, record.value, record.key, headers=record.headers
                    )
                except BaseException:
                    self._room.give_back(record.size)
                    raise
                delivery.add_done_callback(partial(self._ended, instance, record, monotonic()))
                deliveries.append(delivery)
            await asyncio.gather(*deliveries)
        finally:
            for delivery in deliveries:
                if not delivery.cancel() and not delivery.cancelled():
                    delivery.exception()  # the first one is raised; the others are noticed here

    def _ended(
        self,
        instance: Instance,
        record: ProducerRecord,
        started: float,
        delivery: asyncio.Future[Any],
    ) -> None:
        self._room.give_back(record.size)
        if not delivery.cancelled() and delivery.exception() is None:
            instance.acknowledged_at = monotonic()
            self._watch.delivered(record.topic, instance.acknowledged_at - started)

    def _failure(
        self,
        instance: Instance,
        error: KafkaError | TimeoutError,
        started: float,
        within_s: float,
    ) -> NotDeliveredError | RecordTooLargeError:
        """The failure as an error of ours; gives the instance up where it is beyond repair."""
        if isinstance(error, TimeoutError):
            # One slow partition is no reason to give the others' producer up, nor is a deadline
            # that was nearly over before there was a producer.
            had_time = monotonic() - started >= within_s / 2
            if had_time and instance.acknowledged_at < started:
                self._instances.replace(instance, "the brokers acknowledge nothing")
            return NotDeliveredError("not acknowledged in time", sent=True)
        if isinstance(error, MessageSizeTooLargeError):
            return RecordTooLargeError(str(error))
        if not error.retriable:
            self._instances.replace(instance, repr(error))
        return NotDeliveredError(repr(error), sent=True)

"""Puts records into Kafka, and has the brokers' word or an error within the deadline.

aiokafka's idempotent producer never expires a batch, and stays broken after some errors. So every
wait has a deadline, a producer that failed or stalled is replaced, and while there is none every
publish fails at once. What waits is bounded in number and bytes, and goes with its producer.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Final, Protocol, Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from ingress.errors import BodyTooLargeError, BrokerUnavailableError
from ingress.metrics import Metrics
from ingress.producer import (
    FLUSH_DEADLINE_S,
    RECORD_OVERHEAD_BYTES,
    WRITTEN,
    KafkaTarget,
    TopicsNotReadyError,
    check_topics,
    close_producer,
    open_producer,
)
from schemas.headers import Headers

MAX_IN_FLIGHT: Final = 4096
MAX_IN_FLIGHT_BYTES: Final = 64 * 1024 * 1024
PROBE_DEADLINE_S: Final = 1.0
STOP_DEADLINE_S: Final = FLUSH_DEADLINE_S + 2.0
NO_ANSWER: Final = (KafkaError, OSError, TimeoutError, TopicsNotReadyError)
_RECONNECT_WAIT: Final = wait_random_exponential(multiplier=0.1, max=2.0)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """One record to publish; its key chooses the partition."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers = ()


class Publisher(Protocol):
    """Where records go."""

    async def publish(self, record: Record) -> None:
        """Returns once every in-sync replica has the record. Raises BrokerUnavailableError."""
        ...

    async def missing(self) -> str | None:
        """What keeps records from being published at this moment; None when nothing does."""
        ...


class KafkaPublisher:
    """A ``Publisher`` and an async context manager. Entering it needs no broker to be up."""

    def __init__(self, target: KafkaTarget, timeout_s: float, metrics: Metrics) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._metrics = metrics
        self._latency = {topic: metrics.publish_seconds.labels(topic) for topic in WRITTEN}
        self._producer: AIOKafkaProducer | None = None
        self._why_not = "not connected yet"
        self._lost = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._in_flight_bytes = 0
        self._acknowledged_at = 0.0

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_connected(), name="kafka-producer-keeper")
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Stops within ``STOP_DEADLINE_S``, whether the broker answers or not."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper}, timeout=STOP_DEADLINE_S)
        if self._producer is not None:
            self._let_go(self._producer, "the ingress stops")
        if self._closing:
            _, unfinished = await asyncio.wait(self._closing, timeout=STOP_DEADLINE_S)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def publish(self, record: Record) -> None:
        """See ``Publisher.publish``. Raises BodyTooLargeError when Kafka can't take its size."""
        producer = self._producer
        if producer is None:
            raise BrokerUnavailableError(self._why_not, sent=False)
        size = len(record.value) + RECORD_OVERHEAD_BYTES
        if self._in_flight >= MAX_IN_FLIGHT or self._in_flight_bytes + size > MAX_IN_FLIGHT_BYTES:
            raise BrokerUnavailableError("too many records wait already", sent=False)
        self._in_flight += 1
        self._in_flight_bytes += size
        self._metrics.in_flight.inc()
        try:
            await self._deliver(producer, record)
        finally:
            self._in_flight -= 1
            self._in_flight_bytes -= size
            self._metrics.in_flight.dec()

    async def _deliver(self, producer: AIOKafkaProducer, record: Record) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                delivery = await producer.send(
                    record.topic, record.value, record.key, headers=record.headers
                )
                await delivery
        except TimeoutError:
            # One slow partition is no reason to give the others' producer up.
            if self._acknowledged_at < started:
                self._replace(producer, "the brokers acknowledge nothing")
            raise BrokerUnavailableError("not acknowledged in time", sent=True) from None
        except MessageSizeTooLargeError as error:
            raise BodyTooLargeError("The brokers take no record of this size.") from error
        except KafkaError as error:
            if not error.retriable:
                self._replace(producer, repr(error))
            raise BrokerUnavailableError(repr(error), sent=True) from error
        self._acknowledged_at = time.monotonic()
        self._latency[record.topic].observe(self._acknowledged_at - started)

    async def missing(self) -> str | None:
        """See ``Publisher.missing``. Asks the brokers."""
        producer = self._producer
        if producer is None:
            return self._why_not
        try:
            async with asyncio.timeout(PROBE_DEADLINE_S):
                await check_topics(producer, self._target.partitions)
        except NO_ANSWER as error:
            return str(error) or "the brokers don't answer"
        return None

    def _replace(self, producer: AIOKafkaProducer, why: str) -> None:
        """Gives a producer up and wakes the keeper; whoever comes second finds nothing to do."""
        if self._producer is producer:
            self._let_go(producer, why)
            self._metrics.producers_replaced.inc()
            _log.warning("the producer is replaced", extra={"reason": why})
            self._lost.set()

    def _let_go(self, producer: AIOKafkaProducer, why: str) -> None:
        self._producer, self._why_not = None, why
        task = asyncio.create_task(close_producer(producer), name="kafka-producer-closing")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _keep_connected(self) -> None:
        while True:
            self._lost.clear()
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type(NO_ANSWER),
                wait=_RECONNECT_WAIT,
                before_sleep=self._note_failure,
            ):
                with attempt:
                    self._producer = await open_producer(self._target)
            _log.info("connected to the brokers")
            await self._lost.wait()

    def _note_failure(self, attempt: RetryCallState) -> None:
        """Says why there is no connection; in the log only when the reason is a new one."""
        error = attempt.outcome.exception() if attempt.outcome is not None else None
        why = str(error) or f"no answer from {self._target.bootstrap}"
        if why != self._why_not:
            _log.warning("not connected to the brokers", extra={"reason": why})
        self._why_not = why

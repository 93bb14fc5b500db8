"""Puts records into Kafka: the brokers' confirmation, or an error that a client understands.

While there is no connection every publish fails at once; how it comes back is the business of
``messaging.producer``.
"""

from typing import Protocol, Self

from ingress.errors import BodyTooLargeError, BrokerUnavailableError
from ingress.kafka_target import LINGER_MS, WRITTEN, KafkaTarget
from ingress.metrics import Metrics
from messaging.in_flight import InFlightLimits
from messaging.instances import ProducerConfig
from messaging.producer import DEFAULT_LIMITS, Producer
from ports.errors import NotDeliveredError, RecordTooLargeError
from ports.producer_record import ProducerRecord as Record

__all__ = ["KafkaPublisher", "Publisher", "Record"]


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

    def __init__(
        self,
        target: KafkaTarget,
        timeout_s: float,
        metrics: Metrics,
        limits: InFlightLimits = DEFAULT_LIMITS,
    ) -> None:
        self._timeout_s = timeout_s
        self._producer = Producer(
            ProducerConfig(target.bootstrap, "payments-ingress", target.max_value_bytes, LINGER_MS),
            check=target.check,
            observer=_PublishMetrics(metrics),
            limits=limits,
        )

    async def __aenter__(self) -> Self:
        self._producer.connect()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Stops within the producer's ``STOP_DEADLINE_S``, whether the broker answers or not."""
        await self._producer.close()

    async def publish(self, record: Record) -> None:
        """See ``Publisher.publish``. Raises BodyTooLargeError when Kafka can't take its size."""
        try:
            await self._producer.publish(record, self._timeout_s)
        except NotDeliveredError as error:
            raise BrokerUnavailableError(error.reason, sent=error.sent) from error
        except RecordTooLargeError as error:
            raise BodyTooLargeError("The brokers take no record of this size.") from error

    async def missing(self) -> str | None:
        """See ``Publisher.missing``. Asks the brokers."""
        return await self._producer.unavailable_reason()


class _PublishMetrics:
    """The producer's ``Watch`` in the ingress' metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._latency = {topic: metrics.publish_seconds.labels(topic) for topic in WRITTEN}

    def in_flight(self, records: int) -> None:
        """See ``Watch.in_flight``."""
        self._metrics.in_flight.set(records)

    def delivered(self, topic: str, seconds: float) -> None:
        """See ``Watch.delivered``."""
        self._latency[topic].observe(seconds)

    def replaced(self) -> None:
        """See ``Watch.replaced``."""
        self._metrics.producers_replaced.inc()

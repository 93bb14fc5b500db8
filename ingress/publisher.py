"""Publishes records to Kafka, and turns the producer's errors into errors for clients.

Without a connection every publish fails at once. ``messaging.producer`` reconnects.
"""

from typing import Protocol, Self

from ingress.errors import BodyTooLargeError, BrokerUnavailableError
from ingress.kafka_target import LINGER_MS, WRITTEN, KafkaTarget
from ingress.metrics import Metrics
from messaging.in_flight import InFlightLimits
from messaging.instances import ProducerConfig
from messaging.producer import DEFAULT_LIMITS, Producer
from ports.errors import NotDeliveredError, RecordTooLargeError
from ports.producer_record import ProducerRecord


class Publisher(Protocol):
    """Publishes records."""

    async def publish(self, record: ProducerRecord) -> None:
        """Returns when every in-sync replica has the record. Raises BrokerUnavailableError."""
        ...

    async def unavailable_reason(self) -> str | None:
        """Returns why records can't be published now, or None if they can."""
        ...


class KafkaPublisher:
    """A ``Publisher`` and an async context manager. Entering it does not wait for a broker."""

    def __init__(
        self,
        target: KafkaTarget,
        timeout_s: float,
        metrics: Metrics,
        limits: InFlightLimits = DEFAULT_LIMITS,
    ) -> None:
        self._timeout_s = timeout_s
        self._producer = Producer(
            ProducerConfig(
                target.bootstrap,
                "payments-ingress",
                target.max_value_bytes,
                LINGER_MS,
                round(target.gather_s * 1000),
                target.partitions,
            ),
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

    async def publish(self, record: ProducerRecord) -> None:
        """See ``Publisher.publish``. Raises BodyTooLargeError if the topic refuses its size."""
        try:
            await self._producer.publish(record, self._timeout_s)
        except NotDeliveredError as error:
            raise BrokerUnavailableError(error.reason, sent=error.sent) from error
        except RecordTooLargeError as error:
            raise BodyTooLargeError(
                "The body is too large for its topic. Send a smaller one."
            ) from error

    async def unavailable_reason(self) -> str | None:
        """See ``Publisher.unavailable_reason``. Asks the brokers."""
        return await self._producer.unavailable_reason()


class _PublishMetrics:
    """The producer's ``DeliveryObserver`` in the ingress' metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._latency = {topic: metrics.publish_seconds.labels(topic) for topic in WRITTEN}

    def in_flight(self, records: int) -> None:
        """See ``DeliveryObserver.in_flight``."""
        self._metrics.in_flight.set(records)

    def delivered(self, topic: str, seconds: float) -> None:
        """See ``DeliveryObserver.delivered``."""
        self._latency[topic].observe(seconds)

    def replaced(self) -> None:
        """See ``DeliveryObserver.replaced``."""
        self._metrics.producers_replaced.inc()

"""Publishing to a real Kafka: records and their partitions, limits, and wrong topics."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from pydantic import SecretStr

from ingress.database import Database
from ingress.errors import BodyTooLargeError, BrokerUnavailableError
from ingress.kafka_target import KafkaTarget
from ingress.metrics import Metrics
from ingress.publisher import KafkaPublisher
from messaging.in_flight import InFlightLimits
from ports.errors import NotDeliveredError
from ports.producer_record import ProducerRecord
from schemas import headers, identity
from schemas.commands import VALUE
from schemas.settings import KafkaSettings
from schemas.topics import PAYMENT_COMMANDS, PROVIDER_WEBHOOKS
from tests.ingress.harness import PAYMENT, application, client_of, event, keyed, signed
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

MAX_VALUE = 262_144


def target(bootstrap: str, partitions: int | None = None) -> KafkaTarget:
    """Returns the brokers, by default with the settings' number of partitions."""
    return KafkaTarget(
        bootstrap, partitions or KafkaSettings.model_fields["partitions"].default, MAX_VALUE
    )


async def wait_until_connected(publisher: KafkaPublisher) -> None:
    """Waits until the publisher has found its brokers."""

    async def ready() -> bool:
        return await publisher.unavailable_reason() is None

    await until(ready, 15)


@pytest.fixture
async def publisher(kafka_bootstrap: str, metrics: Metrics) -> AsyncIterator[KafkaPublisher]:
    """A publisher connected to the real broker."""
    async with KafkaPublisher(target(kafka_bootstrap), 5, metrics) as opened:
        await wait_until_connected(opened)
        yield opened


@pytest.mark.parametrize("sent", [False, True])
async def test_whether_a_record_may_be_in_the_log_is_kept(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch, *, sent: bool
) -> None:
    """A retry of one that may be there must be the same command."""
    publisher = KafkaPublisher(target("127.0.0.1:1"), 5, metrics)

    async def failing(*_: object) -> None:
        raise NotDeliveredError("not acknowledged in time", sent=sent)

    monkeypatch.setattr(publisher._producer, "publish", failing)
    with pytest.raises(BrokerUnavailableError) as raised:
        await publisher.publish(ProducerRecord(PAYMENT_COMMANDS, b"k", b"v"))
    assert raised.value.sent is sent


@pytest.fixture
async def client(
    publisher: KafkaPublisher, database_url: str, metrics: Metrics
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole ingress with a real Kafka and Postgres."""
    async with (
        Database(SecretStr(database_url)) as database,
        client_of(application(publisher, database, metrics)) as opened,
    ):
        yield opened


async def records_of(
    bootstrap: str, topic: str, key: bytes
) -> Sequence[ConsumerRecord[bytes, bytes]]:
    """Reads the topic from its start to its current end; returns the records with this key."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        await until(_assigned(consumer), 10)
        partitions = consumer.assignment()
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning()
        found = []
        while any([await consumer.position(p) < ends[p] for p in partitions]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += [record for record in batch if record.key == key]
        return found
    finally:
        await consumer.stop()


def _assigned(consumer: AIOKafkaConsumer) -> Callable[[], Awaitable[bool]]:
    async def assigned() -> bool:
        return bool(consumer.assignment())

    return assigned


async def test_an_accepted_command_is_in_the_log(
    client: httpx.AsyncClient, kafka_bootstrap: str
) -> None:
    """After the 202, a reader of the topic finds the command under the payment's key."""
    response = await client.post("/v1/payments", json=PAYMENT, headers=keyed(uuid.uuid4().hex))
    assert response.status_code == 202
    key = response.json()["id"].encode()
    (record,) = await records_of(kafka_bootstrap, PAYMENT_COMMANDS, key)
    assert VALUE.validate_json(record.value or b"").event_id == response.json()["event_id"]


async def test_one_payments_records_are_in_one_partition(
    client: httpx.AsyncClient, kafka_bootstrap: str
) -> None:
    """Its commands and webhooks have the same partition number; webhooks are stored unchanged."""
    for _ in range(5):
        key = uuid.uuid4().hex
        await client.post("/v1/payments", json=PAYMENT, headers=keyed(key))
        payment_id = identity.payment_id("acme", key)
        body = event({"id": "pi_1", "metadata": {"payment_id": payment_id}}, id=f"evt_{key}")
        response = await client.post("/webhooks/stripe", content=body, headers=signed(body))
        assert response.status_code == 200
        (command,) = await records_of(kafka_bootstrap, PAYMENT_COMMANDS, payment_id.encode())
        (webhook,) = await records_of(kafka_bootstrap, PROVIDER_WEBHOOKS, payment_id.encode())
        assert command.partition == webhook.partition
        assert webhook.value == body
        assert headers.as_text(webhook.headers)[headers.EVENT_ID] == f"evt_{key}"


async def test_concurrent_creates_with_one_key_are_one_event(
    client: httpx.AsyncClient, kafka_bootstrap: str
) -> None:
    """Twenty of them give one payment ID and one event ID in the log."""
    key = uuid.uuid4().hex
    responses = await asyncio.gather(
        *(client.post("/v1/payments", json=PAYMENT, headers=keyed(key)) for _ in range(20))
    )
    assert {response.status_code for response in responses} == {202}
    (payment_id,) = {response.json()["id"] for response in responses}
    records = await records_of(kafka_bootstrap, PAYMENT_COMMANDS, payment_id.encode())
    assert len({VALUE.validate_json(r.value or b"").event_id for r in records}) == 1


async def test_the_largest_body_fits(publisher: KafkaPublisher, kafka_bootstrap: str) -> None:
    """A value of the maximum size is published; a larger one raises an error."""
    key = uuid.uuid4().hex.encode()
    await publisher.publish(ProducerRecord(PROVIDER_WEBHOOKS, key, b"a" * MAX_VALUE))
    (record,) = await records_of(kafka_bootstrap, PROVIDER_WEBHOOKS, key)
    assert len(record.value or b"") == MAX_VALUE
    with pytest.raises(BodyTooLargeError):
        await publisher.publish(ProducerRecord(PROVIDER_WEBHOOKS, key, b"a" * 2 * MAX_VALUE))


async def test_too_many_records_in_flight_are_refused_at_once(
    kafka_bootstrap: str, metrics: Metrics
) -> None:
    """Records over the limit are refused without waiting; later records are accepted."""
    record = ProducerRecord(PROVIDER_WEBHOOKS, uuid.uuid4().hex.encode(), b"x")
    async with KafkaPublisher(
        target(kafka_bootstrap), 5, metrics, InFlightLimits(records=3)
    ) as publisher:
        await wait_until_connected(publisher)
        outcomes = await asyncio.gather(
            *(publisher.publish(record) for _ in range(10)), return_exceptions=True
        )
        refused = [each for each in outcomes if isinstance(each, BrokerUnavailableError)]
        assert len(refused) == 7
        assert not any(each.sent for each in refused)
        await publisher.publish(record)
    assert b"in_flight_publishes 0.0" in metrics.exposition()


async def test_too_many_bytes_in_flight_are_refused(kafka_bootstrap: str, metrics: Metrics) -> None:
    """A few large records can exceed the limit on memory."""
    record = ProducerRecord(PROVIDER_WEBHOOKS, uuid.uuid4().hex.encode(), b"x" * MAX_VALUE)
    limits = InFlightLimits(bytes=3 * MAX_VALUE)
    async with KafkaPublisher(target(kafka_bootstrap), 5, metrics, limits) as publisher:
        await wait_until_connected(publisher)
        outcomes = await asyncio.gather(
            *(publisher.publish(record) for _ in range(4)), return_exceptions=True
        )
    refused = [isinstance(each, BrokerUnavailableError) for each in outcomes]
    assert refused == [False] * 2 + [True] * 2


async def test_bytes_are_counted_only_while_they_are_in_flight(
    kafka_bootstrap: str, metrics: Metrics
) -> None:
    """Acknowledged records no longer count, so any total may be sent, two records at a time."""
    record = ProducerRecord(PROVIDER_WEBHOOKS, uuid.uuid4().hex.encode(), b"x" * MAX_VALUE)
    limits = InFlightLimits(bytes=3 * MAX_VALUE)
    async with KafkaPublisher(target(kafka_bootstrap), 5, metrics, limits) as publisher:
        await wait_until_connected(publisher)
        for _ in range(5):
            await asyncio.gather(publisher.publish(record), publisher.publish(record))


async def test_a_wrong_number_of_partitions_is_reported(
    kafka_bootstrap: str, metrics: Metrics
) -> None:
    """It would split a payment's records between partitions, so nothing is published."""
    async with KafkaPublisher(target(kafka_bootstrap, 77), 5, metrics) as publisher:

        async def named() -> bool:
            return "PAYMENTS_PARTITIONS is 77" in (await publisher.unavailable_reason() or "")

        await until(named, 15)
        with pytest.raises(BrokerUnavailableError):
            await publisher.publish(ProducerRecord(PROVIDER_WEBHOOKS, b"k", b"v"))

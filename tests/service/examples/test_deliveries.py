"""The table of each consumer stays right, whatever order and repetition its topics have."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from messaging.lag import GroupLag
from schemas.headers import cloud_event
from schemas.topics import COMPRESSION
from tests.service.examples.conftest import RunningConsumer, Start
from tests.support.builders import NOW
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

WITHIN_S: Final = 60.0
PAYMENT: Final = "pay_of_the_test"
LAST: Final = "pay_that_comes_last"
OPERATION: Final = "op_of_the_test"


class Topics:
    """Two topics of a test alone, with one partition each, and what is written to them."""

    def __init__(self, bootstrap: str, producer: AIOKafkaProducer, name: str) -> None:
        self.bootstrap = bootstrap
        self.payments, self.operations = f"state-{name}", f"operations-{name}"
        self.group = f"group-{name}"
        self._producer = producer

    @property
    def variables(self) -> dict[str, str]:
        """A consumer's variables."""
        return {
            "PAYMENT_STATE_TOPIC": self.payments,
            "PAYMENT_OPERATIONS_TOPIC": self.operations,
        }

    async def version(
        self, number: int, payment_id: str = PAYMENT, *, quarantined: bool = False
    ) -> None:
        """Publishes a version of a payment, with as much of it as a table needs."""
        document = {
            "id": payment_id,
            "version": number,
            "status": "SUCCEEDED",
            "currency": "EUR",
            "amounts": {"authorized": 1000, "captured": 1000, "refunded": 0},
        }
        headers = cloud_event(payment_id, number, NOW, 1, quarantined=quarantined)
        await self._send(self.payments, payment_id, document, headers)

    async def operation(self, status: str, code: str | None = None, name: str = OPERATION) -> None:
        """Publishes a change of an operation."""
        document = {
            "id": name,
            "payment_id": PAYMENT,
            "type": "capture",
            "status": status,
            "code": code,
            "reason": code,
            "version": 2,
        }
        await self._send(self.operations, PAYMENT, document, [])

    async def _send(
        self, topic: str, key: str, document: dict[str, Any], headers: list[tuple[str, bytes]]
    ) -> None:
        value = json.dumps(document).encode()
        await self._producer.send_and_wait(topic, value, key=key.encode(), headers=headers)

    async def all_read(self, group: str) -> bool:
        """Whether the group has committed every record of both topics."""
        lag = await GroupLag(self.bootstrap, group).by_partition([self.payments, self.operations])
        return not any(lag.values())


@pytest.fixture
async def topics(kafka_bootstrap: str) -> AsyncIterator[Topics]:
    """New topics, and a producer that compresses as the service does."""
    name = uuid.uuid4().hex
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, compression_type=COMPRESSION
    ) as producer:
        topics = Topics(kafka_bootstrap, producer, name)
        await _create(kafka_bootstrap, topics.payments, topics.operations)
        yield topics


async def _create(bootstrap: str, *names: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1) for name in names])
    finally:
        await admin.close()


async def _until_last(topics: Topics, consumer: RunningConsumer, number: int) -> None:
    """Publishes a version of another payment, and waits until the table has it."""
    await topics.version(number, LAST)

    async def has_it() -> bool:
        assert consumer.is_running, consumer.log.read_text()
        row = consumer.rows().payments.get(LAST)
        return row is not None and row.version == number

    await until(has_it, WITHIN_S)


async def test_an_older_version_never_replaces_a_newer_one(topics: Topics, start: Start) -> None:
    """The newest version stays, whatever is delivered after it."""
    for number in (1, 3, 2, 1):
        await topics.version(number)
    consumer = start(topics.bootstrap, topics.group, **topics.variables)
    await _until_last(topics, consumer, 1)
    assert consumer.rows().payments[PAYMENT].version == 3
    await topics.version(2)
    await _until_last(topics, consumer, 2)
    assert consumer.rows().payments[PAYMENT].version == 3


async def test_of_two_records_of_one_version_the_later_one_counts(
    topics: Topics, start: Start
) -> None:
    """A quarantine begins and ends without a new version, and the table shows both."""
    consumer = start(topics.bootstrap, topics.group, **topics.variables)
    await topics.version(2)
    await topics.version(2, quarantined=True)
    await _until_last(topics, consumer, 1)
    assert consumer.rows().payments[PAYMENT].is_quarantined
    await topics.version(1)  # one from before does not end it
    await _until_last(topics, consumer, 2)
    assert consumer.rows().payments[PAYMENT].is_quarantined
    await topics.version(2)
    await _until_last(topics, consumer, 3)
    assert not consumer.rows().payments[PAYMENT].is_quarantined


async def test_an_operation_keeps_its_last_status(topics: Topics, start: Start) -> None:
    """Repeated changes, and ones from before, change nothing."""
    for status in ("applied", "done", "applied", "done"):
        await topics.operation(status)
    for status, code in (("applied", None), ("refused", "card_declined"), ("applied", None)):
        await topics.operation(status, code, "op_refused")
    await topics.operation("rejected", "wrong_status", "op_rejected")
    await topics.operation("applied", None, "op_applied")
    consumer = start(topics.bootstrap, topics.group, **topics.variables)

    async def is_last() -> bool:
        return "op_applied" in consumer.rows().operations

    await until(is_last, WITHIN_S)
    assert consumer.rows().operations == {
        OPERATION: ("done", None),
        "op_refused": ("refused", "card_declined"),
        "op_rejected": ("rejected", "wrong_status"),
        "op_applied": ("applied", None),
    }


async def test_what_was_aborted_is_never_in_the_table(topics: Topics, start: Start) -> None:
    """A transaction that a fenced worker left behind does not count."""
    async with AIOKafkaProducer(
        bootstrap_servers=topics.bootstrap, transactional_id=topics.group
    ) as producer:
        await producer.begin_transaction()
        half = Topics(topics.bootstrap, producer, topics.group.removeprefix("group-"))
        await half.version(9)
        await producer.abort_transaction()
    await topics.version(1)
    consumer = start(topics.bootstrap, topics.group, **topics.variables)
    await _until_last(topics, consumer, 1)
    assert consumer.rows().payments[PAYMENT].version == 1


async def test_what_could_not_be_written_comes_again(topics: Topics, start: Start) -> None:
    """Nothing is committed before it is in the table."""
    await topics.version(1)
    consumer = start(topics.bootstrap, topics.group, **topics.variables)
    await _until_last(topics, consumer, 1)
    with consumer.example.not_writable(consumer.path):
        await topics.version(2)

        async def has_complained() -> bool:
            return consumer.has_complained()

        await until(has_complained, WITHIN_S)
        if consumer.is_running:
            consumer.kill()
    again = start(topics.bootstrap, topics.group, **topics.variables)
    await _until_last(topics, again, 2)
    assert again.rows().payments[PAYMENT].version == 2


async def test_reading_everything_again_changes_nothing(topics: Topics, start: Start) -> None:
    """A new group reads old versions after new ones, into the same table."""
    for number in (1, 2, 3):
        await topics.version(number)
    for status in ("applied", "done"):
        await topics.operation(status)
    consumer = start(topics.bootstrap, topics.group, **topics.variables)
    await until(lambda: topics.all_read(topics.group), WITHIN_S)
    before = consumer.rows()
    consumer.kill()
    again = start(topics.bootstrap, f"{topics.group}-again", **topics.variables)
    await until(lambda: topics.all_read(f"{topics.group}-again"), WITHIN_S)
    assert again.rows() == before
    assert before.payments[PAYMENT].version == 3
    assert before.operations == {OPERATION: ("done", None)}

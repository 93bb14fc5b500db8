"""``payment-state`` on a real broker: in order, all or nothing, and only by the newest owner."""

import uuid
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    ProducerFenced,
    RequestTimedOutError,
)

from messaging import transactional_publisher as publishing
from messaging.log_reader import records
from messaging.transactional_publisher import StatePublisher, fenced_producer
from ports.batch import PublishableVersion
from ports.errors import FencedError, PublishError
from schemas.topics import PAYMENT_STATE
from tests.support.builders import NOW, payment
from tests.support.fencing import expect_fencing

pytestmark = pytest.mark.anyio

DEADLINE_S = 20.0


class Workers:
    """Publishers of one group, one for each worker."""

    def __init__(self, bootstrap: str) -> None:
        self._make = fenced_producer(bootstrap, f"test-{uuid.uuid4().hex}")
        self._all: list[StatePublisher] = []
        self.started: list[int] = []

    def _started(self, partition: int) -> AIOKafkaProducer:
        self.started.append(partition)
        return self._make(partition)

    async def one(self, *partitions: int) -> StatePublisher:
        """Returns a worker's publisher with these partitions."""
        publisher = StatePublisher(self._started, DEADLINE_S)
        self._all.append(publisher)
        await publisher.assign(partitions)
        return publisher

    async def close(self) -> None:
        """Closes all."""
        for publisher in self._all:
            await publisher.close()


@pytest.fixture
async def workers(kafka_bootstrap: str) -> AsyncIterator[Workers]:
    """A group for this test alone."""
    expect_fencing()
    group = Workers(kafka_bootstrap)
    yield group
    await group.close()


class Failing:
    """A producer whose transactions the brokers refuse."""

    def __init__(self, error: KafkaError) -> None:
        self._error = error

    def transaction(self) -> Any:
        """Raises the brokers' error."""
        raise self._error


def version(payment_id: str, number: int, partition: int = 0) -> PublishableVersion:
    """A version of a payment, to publish."""
    snapshot = f'{{"version": {number}}}'.encode()
    return PublishableVersion(
        payment_id=payment_id,
        version=number,
        partition=partition,
        at=NOW,
        snapshot=snapshot,
        publication_id=1,
    )


async def committed(bootstrap: str, *payment_ids: str) -> list[Any]:
    """Returns what a downstream service reads of these payments, in order."""
    keys = {payment_id.encode() for payment_id in payment_ids}
    return [r async for r in records(bootstrap, PAYMENT_STATE) if r.key in keys]


async def test_versions_are_published_in_order_to_their_payments_partition(
    workers: Workers, kafka_bootstrap: str
) -> None:
    """In any order of input. Key, value and headers identify the version."""
    publisher = await workers.one(0, 1, 2, 3)
    one, two = payment(), payment()
    unordered = [version(one, 3, 2), version(two, 2, 1), version(one, 1, 2), version(two, 1, 1)]
    await publisher.publish([*unordered, version(one, 2, 2)])
    found = await committed(kafka_bootstrap, one, two)
    of_one = [record for record in found if record.key == one.encode()]
    assert [record.value for record in of_one] == [b'{"version": %d}' % n for n in (1, 2, 3)]
    assert {record.partition for record in of_one} == {2}
    assert [record.partition for record in found if record.key == two.encode()] == [1, 1]
    headers = dict(of_one[-1].headers)
    assert headers["ce_id"] == f"{one}:1:3".encode()
    assert headers["ce_time"] == NOW.isoformat().encode()


async def test_version_ten_comes_after_version_nine(workers: Workers, kafka_bootstrap: str) -> None:
    """Versions are sorted as numbers. Sorted as text, an older one would be last."""
    publisher, mine = await workers.one(0), payment()
    await publisher.publish([version(mine, number) for number in reversed(range(8, 12))])
    found = await committed(kafka_bootstrap, mine)
    assert [record.value for record in found] == [b'{"version": %d}' % n for n in range(8, 12)]


async def test_a_large_publication_is_split_and_stays_in_order(
    workers: Workers, kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes several transactions, each of whole payments. Nothing is lost between them."""
    monkeypatch.setattr(publishing, "TRANSACTION_RECORDS_MAX", 2)
    publisher = await workers.one(0)
    (producer,) = publisher._producers.values()
    commits: list[None] = []
    commit = producer.commit_transaction

    async def counted() -> None:
        commits.append(None)
        await commit()

    monkeypatch.setattr(producer, "commit_transaction", counted)
    several = sorted(payment() for _ in range(4))
    await publisher.publish([version(each, n) for each in several for n in (1, 2, 3)])
    found = await committed(kafka_bootstrap, *several)
    assert [record.value for record in found] == [b'{"version": %d}' % n for n in (1, 2, 3)] * 4
    assert len(commits) == 4


async def test_an_aborted_version_is_never_read(kafka_bootstrap: str) -> None:
    """Neither a downstream service nor the audit reads it: it was not published."""
    mine = payment()
    producer = fenced_producer(kafka_bootstrap, f"test-{uuid.uuid4().hex}")(0)
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(PAYMENT_STATE, b"{}", mine.encode(), partition=0)
        await producer.abort_transaction()
    finally:
        await producer.stop()
    assert await committed(kafka_bootstrap, mine) == []


async def test_a_new_owner_fences_the_former_one(workers: Workers, kafka_bootstrap: str) -> None:
    """From its start on, the former owner's versions are refused. The new owner's are read."""
    mine = payment()
    former = await workers.one(1)
    await former.publish([version(mine, 1, 1)])
    owner = await workers.one(1)
    with pytest.raises(FencedError):
        await former.publish([version(mine, 1, 1)])
    await owner.publish([version(mine, 2, 1)])
    found = await committed(kafka_bootstrap, mine)
    assert [record.value for record in found] == [b'{"version": 1}', b'{"version": 2}']


@pytest.mark.parametrize("error", [ProducerFenced, InvalidProducerEpoch])
@pytest.mark.parametrize("is_last", [True, False])
async def test_either_error_of_a_newer_owner_fences_the_worker(
    error: type[KafkaError], *, is_last: bool
) -> None:
    """The brokers have two errors for a newer owner. Another partition may fail as well."""
    ends = [error(), RequestTimedOutError()]
    publisher = StatePublisher(lambda _: cast("Any", None), DEADLINE_S)
    for partition, end in enumerate(reversed(ends) if is_last else ends):
        publisher._producers[partition] = cast("Any", Failing(end))
    with pytest.raises(FencedError, match=error.__name__):
        await publisher.publish([version(payment(), 1, 0), version(payment(), 1, 1)])


async def test_a_version_of_an_unassigned_partition_refuses_the_publication(
    workers: Workers, kafka_bootstrap: str
) -> None:
    """Nothing of it is published. The assigned partitions can be published to afterwards."""
    mine, other = payment(), payment()
    publisher = await workers.one(0)
    with pytest.raises(FencedError, match=r"\[3\]"):
        await publisher.publish([version(mine, 1), version(other, 1, 3)])
    await publisher.publish([version(mine, 2)])
    found = await committed(kafka_bootstrap, mine, other)
    assert [record.value for record in found] == [b'{"version": 2}']


async def test_revoked_partitions_are_given_up(workers: Workers) -> None:
    """They can't be published to any more, and their new owner is not fenced."""
    publisher = await workers.one(0, 1)
    await publisher.assign([1])
    owner = await workers.one(0)
    with pytest.raises(FencedError):
        await publisher.publish([version(payment(), 1, 0)])
    await publisher.assign([1])
    await owner.publish([version(payment(), 1, 0)])
    await publisher.publish([version(payment(), 1, 1)])
    assert sorted(workers.started) == [0, 0, 1]


async def test_a_publication_not_acknowledged_in_time_fails(
    workers: Workers, kafka_bootstrap: str
) -> None:
    """Its fate is unknown, but no reader sees a part of it."""
    mine = payment()
    publisher = await workers.one(0)
    publisher._deadline_s = 0.0
    with pytest.raises(PublishError, match=r"within 0 s"):
        await publisher.publish([version(mine, 1), version(mine, 2)])
    owner = await workers.one(0)
    await owner.publish([version(mine, 1), version(mine, 2)])
    found = await committed(kafka_bootstrap, mine)
    assert [record.value for record in found] == [b'{"version": 1}', b'{"version": 2}']


async def test_a_partition_that_cannot_be_taken_over_is_an_error() -> None:
    """Without brokers there is no fence, so the worker must not begin."""
    publisher = StatePublisher(fenced_producer("127.0.0.1:1", "nowhere"), DEADLINE_S)
    with pytest.raises(PublishError, match="partition 2"):
        await publisher.assign([2])
    with pytest.raises(FencedError):
        await publisher.publish([version(payment(), 1, 2)])

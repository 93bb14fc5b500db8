"""Brokers that fall silent: a publication ends at its deadline, and nothing of it continues."""

import asyncio
import gc
import signal
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from messaging.log_reader import records
from messaging.transactional_publisher import StatePublisher, fenced_producer
from ports.batch import PublishableVersion
from ports.errors import PublishError
from schemas.topics import PAYMENT_STATE
from tests.own_broker import OwnBroker, own_broker
from tests.support.builders import NOW, payment
from tests.support.fencing import expect_fencing
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

STARTED_WITHIN_S: Final = 20.0
DEADLINE_S: Final = 1.0
#: Far less than a transaction's end may take: one request may take ten seconds.
SOON_S: Final = DEADLINE_S + 2.0
NOTHING_LEFT_WITHIN_S: Final = 15.0


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


class Group:
    """Publishers of one group on a broker that can be made silent."""

    def __init__(self, broker: OwnBroker) -> None:
        self._broker = broker
        self._make = fenced_producer(broker.bootstrap, f"test-{uuid.uuid4().hex}")
        self._all: list[StatePublisher] = []

    async def one(self, *partitions: int) -> StatePublisher:
        """Returns a worker's publisher that has these partitions and has published to each."""
        publisher = StatePublisher(self._make, STARTED_WITHIN_S)
        self._all.append(publisher)
        await publisher.assign(partitions)
        await publisher.publish([version(payment(), 1, partition) for partition in partitions])
        publisher._deadline_s = DEADLINE_S
        return publisher

    @contextmanager
    def silence(self) -> Iterator[None]:
        """The broker does not respond until the block ends."""
        self._broker.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._broker.signal(signal.SIGCONT)

    async def values(self, payment_id: str) -> list[bytes]:
        """Returns what a downstream service reads of a payment, in order."""
        return [
            record.value or b""
            async for record in records(self._broker.bootstrap, PAYMENT_STATE)
            if record.key == payment_id.encode()
        ]

    async def close(self) -> None:
        """Closes all."""
        for publisher in self._all:
            await publisher.close()


@pytest.fixture(scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnBroker]:
    """A broker with every topic."""
    async with own_broker(tmp_path_factory.mktemp("silent")) as own:
        await own.start()
        await own.make_topics()
        yield own


@pytest.fixture
async def group(broker: OwnBroker) -> AsyncIterator[Group]:
    """A group for this test alone."""
    expect_fencing()
    made = Group(broker)
    yield made
    await made.close()


def transactions() -> list[str]:
    """Returns the names of the publications' running tasks."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name == StatePublisher._transact.__qualname__]


async def no_transaction_runs() -> bool:
    """Whether no publication has a running task."""
    return transactions() == []


async def in_transaction(publisher: StatePublisher) -> None:
    """Returns once a publication's records are being sent."""

    async def sending() -> bool:
        managers = [producer._txn_manager for producer in publisher._producers.values()]
        return all(m.is_in_transaction() and m.needs_transaction_commit() is None for m in managers)

    await until(sending, DEADLINE_S)


async def test_silent_brokers_are_a_publish_error_at_the_deadline(
    group: Group, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits for none of its transactions. The next owner publishes all of it once."""
    mine, other = payment(), payment()
    versions = [version(mine, 1), version(mine, 2), version(other, 1, 1)]
    publisher = await group.one(0, 1)
    with group.silence():
        publishing = asyncio.ensure_future(publisher.publish(versions))
        await asyncio.wait({publishing}, timeout=SOON_S)
        assert publishing.done()
    with pytest.raises(PublishError, match=r"within 1 s"):
        await publishing
    await until(no_transaction_runs, NOTHING_LEFT_WITHIN_S)
    gc.collect()
    assert "never retrieved" not in caplog.text
    owner = await group.one(0, 1)
    owner._deadline_s = STARTED_WITHIN_S
    await owner.publish(versions)
    assert await group.values(mine) == [b'{"version": 1}', b'{"version": 2}']
    assert await group.values(other) == [b'{"version": 1}']


async def test_a_cancelled_publication_does_not_continue(
    group: Group, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that is stopped during a publication publishes nothing of it later."""
    mine = payment()
    publisher = await group.one(0)
    publisher._deadline_s = STARTED_WITHIN_S
    with group.silence():
        publishing = asyncio.ensure_future(publisher.publish([version(mine, 1)]))
        await in_transaction(publisher)
        publishing.cancel()
        await asyncio.wait({publishing}, timeout=SOON_S)
        assert publishing.cancelled()
    await until(no_transaction_runs, NOTHING_LEFT_WITHIN_S)
    gc.collect()
    assert "never retrieved" not in caplog.text
    assert await group.values(mine) == []

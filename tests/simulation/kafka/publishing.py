"""``payment-state`` and ``payment-operations``: transactional producers, fenced.

There is one transactional id per partition.

The real ``StatePublisher`` runs on these. They raise what aiokafka's producer raises, including its
failed assertion when two transactions begin at once.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

from aiokafka.errors import (
    IllegalOperation,
    KafkaTimeoutError,
    NotLeaderForPartitionError,
    ProducerFenced,
)

from schemas.headers import CLOUD_EVENT_OPERATION_TYPE, QUARANTINED
from tests.simulation.process import Process

#: Seconds after which the brokers abort a transaction and fence its producer.
TRANSACTION_TIMEOUT_S: Final = 60.0
#: Records per batch; few, so that a transaction has several batches.
BATCH_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class StateRecord:
    """One record of ``payment-state``."""

    payment_id: str
    version: int
    value: bytes
    quarantined: bool


@dataclass(frozen=True, slots=True)
class OperationRecord:
    """One record of ``payment-operations``."""

    payment_id: str
    operation_id: str
    status: str
    value: bytes


Record = StateRecord | OperationRecord
Watch = Callable[[list[StateRecord]], None]


class StateTopic:
    """The committed records, and the current producer epoch of each partition."""

    def __init__(self, watch: Watch) -> None:
        self.records: Final[list[StateRecord]] = []
        self.last: Final[dict[str, StateRecord]] = {}
        self.operations: Final[list[OperationRecord]] = []
        self._watch = watch
        self._epochs: dict[int, int] = {}

    def fence(self, partition: int) -> int:
        """Starts a producer epoch and returns it; older epochs are rejected from now on."""
        self._epochs[partition] = self._epochs.get(partition, 0) + 1
        return self._epochs[partition]

    def is_fenced(self, partition: int, epoch: int) -> bool:
        """Whether a newer producer has started."""
        return self._epochs[partition] != epoch

    def commit(self, records: list[Record]) -> None:
        """Makes a transaction's records visible, all at once."""
        states = [record for record in records if isinstance(record, StateRecord)]
        self.operations.extend(record for record in records if isinstance(record, OperationRecord))
        self.records.extend(states)
        for record in states:
            self.last[record.payment_id] = record
        self._watch(states)


class Batch:
    """As much of aiokafka's ``BatchBuilder`` as ``messaging.batch_send`` uses."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, *, key: bytes, value: bytes, timestamp: None, headers: Any) -> object | None:
        """Adds a record; None where the batch is full."""
        del timestamp
        if len(self.records) == BATCH_MAX:
            return None
        names = dict(headers)
        last: bytes
        subject, _, last = names["ce_id"].rpartition(b":")
        payment_id = key.decode()
        if names["ce_type"] == CLOUD_EVENT_OPERATION_TYPE.encode():
            record = OperationRecord(payment_id, subject.decode(), last.decode(), value)
            self.records.append(record)
        else:
            self.records.append(StateRecord(payment_id, int(last), value, QUARANTINED in names))
        return last

    def record_count(self) -> int:
        """The number of records."""
        return len(self.records)


class TransactionalProducer:
    """As much of aiokafka's producer as ``messaging.transactional_publisher`` uses."""

    def __init__(self, topic: StateTopic, partition: int, process: Process) -> None:
        self._topic = topic
        self._partition = partition
        self._process = process
        self._time = asyncio.get_running_loop().time
        self._epoch = 0
        self._in_transaction = False
        self._sent: list[Record] = []
        # read when the producer is discarded
        self._sender = SimpleNamespace(sender_task=None)
        self._message_accumulator = SimpleNamespace(_batches={}, _pending_batches=set())
        self.client = SimpleNamespace(_conns={})

    async def start(self) -> None:
        """Fences every producer of this partition that started before."""
        await self._process.step("state.fence")
        if self._process.chance.happens("fence_failed"):
            raise KafkaTimeoutError
        self._epoch = self._topic.fence(self._partition)
        await self._process.step("state.fenced")

    async def stop(self) -> None:
        """Closes the connections."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Makes the records sent in the block visible at once when it succeeds."""
        assert not self._in_transaction, "Invalid state transition IN_TRANSACTION -> IN_TRANSACTION"
        self._in_transaction = True
        self._sent = []
        begun = self._time()
        try:
            yield
            await self._commit(begun)
        finally:
            self._in_transaction = False

    def create_batch(self) -> "Batch":
        """Records to be sent together."""
        return Batch()

    async def send_batch(
        self, batch: "Batch", topic: str, *, partition: int
    ) -> asyncio.Future[None]:
        """Adds records to the transaction."""
        del topic
        assert partition == self._partition
        await self._process.step("state.send")
        if self._topic.is_fenced(self._partition, self._epoch):
            raise IllegalOperation("a newer producer has this transactional id")
        self._sent += batch.records
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        taken.set_result(None)
        return taken

    async def _commit(self, begun: float) -> None:
        chance = self._process.chance
        await self._process.step("state.commit")
        if self._topic.is_fenced(self._partition, self._epoch):
            raise ProducerFenced
        if self._time() - begun > TRANSACTION_TIMEOUT_S:
            self._topic.fence(self._partition)
            raise ProducerFenced
        if chance.happens("publish_failed"):
            raise NotLeaderForPartitionError
        self._topic.commit(self._sent)
        await self._process.step("state.committed")
        if chance.happens("publish_answer_lost"):
            await asyncio.sleep(3600)

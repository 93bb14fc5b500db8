"""Publishes versions and operations with fencing: only a partition's current owner can publish.

There is one transactional ID per partition. A worker that is assigned a partition starts a producer
with that ID; from then on the brokers refuse the former owner's producer.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced

from messaging.batch_send import KeyedRecord, send_in_batches
from messaging.lifetime import close_producer, start_client
from ports.batch import Publishable, PublishableVersion, publication_order
from ports.errors import FencedError, PublishError
from ports.failures import BROKERS_UNAVAILABLE
from schemas.headers import cloud_event, operation_event
from schemas.topics import (
    BATCH_BYTES_MAX,
    COMPRESSION,
    PAYMENT_OPERATIONS,
    PAYMENT_STATE,
    request_bytes_max,
)

#: Records per transaction. A larger publication is split; each part is in version order, and has
#: whole payments.
TRANSACTION_RECORDS_MAX: Final = 5_000

ProducerFactory = Callable[[int], AIOKafkaProducer]


def fenced_producer(bootstrap: str, group: str) -> ProducerFactory:
    """Returns a factory of producers, not started, with the partition's transactional ID."""

    def make(partition: int) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            client_id=f"{group}-state-{partition}",
            transactional_id=f"{group}-state-{partition}",
            acks="all",
            max_batch_size=BATCH_BYTES_MAX,
            compression_type=COMPRESSION,
            max_request_size=request_bytes_max(PAYMENT_STATE, PAYMENT_OPERATIONS),
            request_timeout_ms=10_000,
        )

    return make


class StatePublisher:
    """Publishes to ``payment-state`` and ``payment-operations``, to the partition of the inputs.

    Former owners are fenced only when a partition is assigned, before its records are read. A
    worker that was suspended while it lost a partition must not fence the new owner.
    """

    def __init__(self, make: ProducerFactory, deadline_s: float) -> None:
        self._make = make
        self._deadline_s = deadline_s
        self._producers: dict[int, AIOKafkaProducer] = {}

    async def assign(self, partitions: Iterable[int]) -> None:
        """Owns exactly these partitions from now on. Fences their former owners.

        Raises PublishError.
        """
        wanted = set(partitions)
        gone = [self._producers.pop(p) for p in set(self._producers) - wanted]
        ends = await asyncio.gather(
            *(close_producer(producer) for producer in gone),
            *(self._start(partition) for partition in wanted - set(self._producers)),
            return_exceptions=True,  # waits for all, so that none still runs when one fails
        )
        for end in ends:
            if isinstance(end, BaseException):
                raise end

    async def _start(self, partition: int) -> None:
        producer = self._make(partition)
        try:
            await start_client(producer, self._deadline_s)
        except BROKERS_UNAVAILABLE as error:
            await close_producer(producer)
            raise PublishError(f"partition {partition} can't be acquired: {error!r}") from error
        except BaseException:
            await close_producer(producer)
            raise
        self._producers[partition] = producer

    async def publish(self, records: Sequence[Publishable]) -> None:
        """Publishes in order and returns once the brokers have all records.

        A change of an operation is in the transaction of the version that it led to, and sent after
        it.

        Raises:
            FencedError: a partition has a newer owner.
            PublishError: the brokers did not confirm in time. Any of the records may have been
                written; the producers can't be used any more.
        """
        ordered = sorted(records, key=publication_order)
        by_partition = {p: list(group) for p, group in groupby(ordered, key=lambda r: r.partition)}
        lost = by_partition.keys() - self._producers.keys()
        if lost:
            raise FencedError(f"partitions {sorted(lost)} are owned by another worker")
        # waits for all, so that none still runs when the batch is retried
        sending = asyncio.gather(
            *(self._transact(self._producers[p], part) for p, part in by_partition.items()),
            return_exceptions=True,
        )
        sending.add_done_callback(_retrieve_exception)
        try:
            # not asyncio.timeout: it would wait for transactions that may never end
            done, _ = await asyncio.wait({sending}, timeout=self._deadline_s)
        finally:
            sending.cancel()  # no effect once done
        if not done:
            raise PublishError(f"no confirmation from the brokers within {self._deadline_s:g} s")
        _raise_worst([end for end in sending.result() if end is not None])

    async def _transact(self, producer: AIOKafkaProducer, part: Sequence[Publishable]) -> None:
        for some in _whole_payments(part, TRANSACTION_RECORDS_MAX):
            versions = [r for r in some if isinstance(r, PublishableVersion)]
            operations = [r for r in some if not isinstance(r, PublishableVersion)]
            try:
                async with producer.transaction():
                    await _send(producer, PAYMENT_STATE, versions)
                    await _send(producer, PAYMENT_OPERATIONS, operations)
            except KafkaError:
                raise
            except Exception as error:
                # not the payment's fault: a half-open transaction makes the producer unusable
                raise PublishError(f"the producer failed: {error!r}") from error

    async def close(self) -> None:
        """Stops every producer."""
        await self.assign(())


def _whole_payments(part: Sequence[Publishable], most: int) -> Iterator[Sequence[Publishable]]:
    """Yields the records in parts that end with a payment, once they have ``most`` records."""
    some: list[Publishable] = []
    for _, records in groupby(part, key=lambda r: r.payment_id):
        some += records
        if len(some) >= most:
            yield some
            some = []
    if some:
        yield some


async def _send(producer: AIOKafkaProducer, topic: str, records: Sequence[Publishable]) -> None:
    """Sends records of one partition, and returns once the brokers have them."""
    if records:
        values = [_as_record(record) for record in records]
        sending = await send_in_batches(producer, topic, records[0].partition, values)
        await asyncio.gather(*(sent for _, sent in sending))


def _as_record(record: Publishable) -> KeyedRecord:
    key = record.payment_id.encode()
    if not isinstance(record, PublishableVersion):
        headers = operation_event(record.operation_id, record.status, record.payment_id, record.at)
        return KeyedRecord(key, record.document, headers)
    headers = cloud_event(
        record.payment_id,
        record.version,
        record.at,
        record.publication_id,
        quarantined=record.quarantined,
    )
    return KeyedRecord(key, record.snapshot, headers)


def _raise_worst(errors: Sequence[BaseException]) -> None:
    """Raises the most specific error: fencing first, then the brokers' errors, then any other."""
    for error in errors:
        if isinstance(error, ProducerFenced | InvalidProducerEpoch):
            raise FencedError(f"a partition has a newer owner: {error!r}") from error
    for error in errors:
        if isinstance(error, KafkaError):
            raise PublishError(f"the brokers refused: {error!r}") from error
    for error in errors:
        raise error


def _retrieve_exception(sending: asyncio.Future[Any]) -> None:
    """Prevents asyncio's warning; the caller has already raised a PublishError."""
    if not sending.cancelled():
        sending.exception()

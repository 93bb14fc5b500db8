"""The sink: a checkpoint's records in one transaction, then their versions to ``payment-state``."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from quixstreams.kafka import Producer
from quixstreams.sinks.base import BaseSink

from decisions.dead_letters import as_outgoing
from decisions.fold import fold
from ports.batch import Publishable, PublishableVersion, publication_order
from ports.errors import PublishError
from ports.records import ConsumedRecord, DeadLetter, DecodedInput
from postgres.batch import transaction as store
from postgres.batch import unpublished
from schemas.headers import Headers, cloud_event, operation_event
from schemas.topics import PAYMENT_OPERATIONS, PAYMENT_STATE

Decode = Callable[[ConsumedRecord], DecodedInput | DeadLetter]


@dataclass(frozen=True, slots=True)
class Item:
    """A decoded record; ``is_duplicate``: an earlier record had its event ID."""

    decoded: DecodedInput | DeadLetter
    is_duplicate: bool = False


class PaymentsSink(BaseSink):  # type: ignore[misc]  # quix-streams is not installed where types are checked
    """quix calls it on its only thread, so the store's coroutines run one after the other."""

    def __init__(self, database_url: str, producer: Producer, decode: Decode) -> None:
        super().__init__()
        self._database_url = database_url
        self._producer = producer
        self._decode = decode
        self._items: list[Item] = []
        self._runner = asyncio.Runner()
        self._connection: store.Connection | None = None
        self._undelivered: list[str] = []

    def add(self, value: Item, *_: Any, **__: Any) -> None:
        """See BaseSink."""
        self._items.append(value)

    def flush(self) -> None:
        """Called before the offsets' commit. An error ends the program without that commit."""
        items, self._items = self._items, []
        if items:
            self._runner.run(self._write(items))

    async def _write(self, items: Sequence[Item]) -> None:
        dead = [i.decoded for i in items if isinstance(i.decoded, DeadLetter)]
        for letter in as_outgoing(dead):
            self._produce(letter.topic, letter.key, letter.value, letter.headers)
        self._deliver()
        known = [(i.decoded, i.is_duplicate) for i in items if isinstance(i.decoded, DecodedInput)]
        fresh = [received for received, is_duplicate in known if not is_duplicate]
        connection = self._connection = self._connection or await self._connect()
        async with connection.transaction():
            loaded = await store.load(connection, fresh, self._decode)
            plan = fold(loaded, fresh)
            plan.duplicates += [received for received, is_duplicate in known if is_duplicate]
            plan.dead_letters += dead
            published = await store.write(connection, plan, datetime.now(UTC))
        ids = plan.redelivered | {p.publication_id for p in published}
        if plan.redelivered:
            async with connection.transaction():
                published = await unpublished.unpublished(connection, publication_ids=ids)
        self._publish(published)
        if ids:
            async with connection.transaction():
                await unpublished.mark_published(connection, ids, datetime.now(UTC))

    async def _connect(self) -> store.Connection:
        return await psycopg.AsyncConnection.connect(self._database_url, autocommit=True)

    def _publish(self, published: Iterable[Publishable]) -> None:
        for p in sorted(published, key=publication_order):
            key = p.payment_id.encode()
            if isinstance(p, PublishableVersion):
                headers = cloud_event(p.payment_id, p.version, p.at, p.publication_id)
                self._produce(PAYMENT_STATE, key, p.snapshot, headers, partition=p.partition)
            else:
                headers = operation_event(p.operation_id, p.status, p.payment_id, p.at)
                self._produce(PAYMENT_OPERATIONS, key, p.document, headers, partition=p.partition)
        self._deliver()

    def _produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: Headers,
        partition: int | None = None,
    ) -> None:
        self._producer.produce(
            topic,
            key=key,
            value=value,
            headers=list(headers),
            partition=partition,
            on_delivery=self._record_delivery,
        )

    def _record_delivery(self, error: Any, _message: Any) -> None:
        if error is not None:
            self._undelivered.append(str(error))

    def _deliver(self) -> None:
        left = self._producer.flush()
        if left or self._undelivered:
            raise PublishError(f"{left} records are not delivered: {self._undelivered[:1]}")

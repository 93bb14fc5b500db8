"""Payments that really lived: every record is in the log, and what it made is in the store.

The filler multiplies rows, so nothing can be decided again. Here the service's own code decides
the records of many payments at a time, and the same records are published, at the offsets that
the store has. It is for measuring a rebuild.
"""

import asyncio
import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, Final

import psycopg
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner

from bench.errors import WrongResultError
from bench.site import PARTITIONS, Site
from bench.year.stories import SEED, STORIES, Life, life
from bench.year.templates import PROVIDER, TENANTS, answer_to
from decisions.decode import Decoder
from decisions.fold import fold
from domain.calls import ProviderCall
from messaging.batch_send import KeyedRecord, send_in_batches
from ports.producer_record import ProducerRecord
from ports.provider import Account
from ports.records import ConsumedRecord, DecodedInput, RecordOffset
from postgres.batch import transaction as store
from postgres.batch import unpublished
from providers.stripe.webhooks import StripeTranslator
from sandbox.environment import STRIPE_ACCOUNT
from sandbox.stripe_simulator.chance import Chance
from schemas.headers import as_text

#: Payments that live at the same time: each gives one record to a batch.
TOGETHER: Final = 2_000
YEAR: Final = timedelta(days=365)
ANSWERED_AFTER_S: Final = 0.3
WRITTEN_AFTER: Final = timedelta(seconds=1)
#: Their tenants' names begin like this, so their IDs are those of no other fill.
TENANT: Final = "lived"

DONE: Final = """
    update provider_calls
    set state = 'done', outcome = 'acknowledged', attempts = 1, done_at = %s, request = null
    where call_key = any(%s)"""


@dataclass(slots=True)
class _Alive:
    """A payment with the records that are due."""

    life: Life
    due: list[tuple[float, int, ProducerRecord]] = field(default_factory=list)
    count: int = 0

    def add(self, after_s: float, record: ProducerRecord) -> None:
        self.count += 1
        heapq.heappush(self.due, (after_s, self.count, record))


@dataclass(slots=True)
class _World:
    """Kafka and Postgres."""

    connection: store.Connection
    producer: AIOKafkaProducer
    decode: Callable[[ConsumedRecord], Any]
    offsets: Counter[tuple[str, int]] = field(default_factory=Counter)

    async def take(self, records: Sequence[ProducerRecord], now: datetime) -> list[ProviderCall]:
        """Publishes, decides and writes a batch. Returns the calls that it asks for."""
        batches: dict[tuple[str, int], list[KeyedRecord]] = {}
        received = []
        for record in records:
            placed = self._place(record)
            found = self.decode(placed)
            if not isinstance(found, DecodedInput):
                raise WrongResultError(f"a record can't be decoded: {found.error}")
            received.append(found)
            place = placed.position.topic, placed.position.partition
            batches.setdefault(place, []).append(
                KeyedRecord(record.key or b"", record.value, record.headers)
            )
        for (topic, partition), some in batches.items():
            for _, sending in await send_in_batches(self.producer, topic, partition, some):
                await sending
        async with self.connection.transaction():
            loaded = await store.load(self.connection, received, self.decode, alone=True)
            plan = fold(loaded, received)
            published = await store.write(self.connection, plan, now)
            ids = {each.publication_id for each in published}
            await unpublished.mark_published(self.connection, ids, now)
            await self.connection.execute(DONE, [now, [call.key for call in plan.calls]])
        return plan.calls

    def _place(self, record: ProducerRecord) -> ConsumedRecord:
        numbers = list(range(PARTITIONS))
        partition = DefaultPartitioner()(record.key, numbers, numbers)
        offset = self.offsets[record.topic, partition]
        self.offsets[record.topic, partition] += 1
        return ConsumedRecord(
            position=RecordOffset(record.topic, partition, offset),
            key=record.key,
            value=record.value,
            headers=as_text(record.headers),
            timestamp_ms=0,
        )


async def live(site: Site, payments: int, first: int = 0) -> float:
    """Has this many payments live, over a year, and returns the seconds it took.

    The topics must be empty. Raises WrongResultError.
    """
    begun = time.monotonic()
    decoder = Decoder({PROVIDER: StripeTranslator(Account(STRIPE_ACCOUNT, is_live=False))})
    async with (
        await psycopg.AsyncConnection.connect(site.database_url, autocommit=True) as connection,
        AIOKafkaProducer(bootstrap_servers=site.kafka_bootstrap, linger_ms=0) as producer,
    ):
        await connection.execute("set synchronous_commit = off")
        world = _World(connection, producer, decoder.decode)
        start = datetime.now(UTC) - YEAR
        for begin in range(first, first + payments, TOGETHER):
            numbers = range(begin, min(begin + TOGETHER, first + payments))
            await _live_together(world, numbers, start + YEAR * begin / (first + payments))
        await connection.execute("vacuum (analyze)")
    return time.monotonic() - begun


async def _live_together(world: _World, numbers: Iterable[int], at: datetime) -> None:
    stories, tenants = _cumulated(s.share for s in STORIES), _cumulated(t[1] for t in TENANTS)
    alive: dict[str, _Alive] = {}
    for number in numbers:
        draw = Chance(f"{SEED}/{TENANT}/{number}")
        story = STORIES[_drawn(draw.unit("story"), stories)]
        tenant = f"{TENANT}-{TENANTS[_drawn(draw.unit('tenant'), tenants)][0]}"
        one = _Alive(life(story, tenant, number, at + timedelta(seconds=draw.unit("begin"))))
        for after_s, record in one.life.records:
            one.add(after_s, record)
        alive[one.life.payment_id] = one
    while waiting := [one for one in alive.values() if one.due]:
        taken = [(one, *heapq.heappop(one.due)) for one in waiting]
        now = at + timedelta(seconds=max(after_s for _, after_s, _, _ in taken)) + WRITTEN_AFTER
        times: Mapping[str, float] = {one.life.payment_id: after_s for one, after_s, _, _ in taken}
        for call in await world.take([record for *_, record in taken], now):
            one, after_s = alive[call.payment_id], times[call.payment_id] + ANSWERED_AFTER_S
            answer_at = one.life.begun_at + timedelta(seconds=after_s)
            one.add(after_s, answer_to(one.life, call, answer_at))


def _cumulated(shares: Iterable[float]) -> list[float]:
    found = list(accumulate(shares))
    return [each / found[-1] for each in found]


def _drawn(unit: float, cumulated: Sequence[float]) -> int:
    return next(n for n, until in enumerate(cumulated) if unit <= until or n == len(cumulated) - 1)


def run(site: Site, payments: int) -> float:
    """See ``live``."""
    return asyncio.run(live(site, payments))

"""Makes the template payments: the service's own code decides and writes their records.

One record is one batch, as in a store that gets a webhook now and then.
"""

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import psycopg
from aiokafka.partitioner import DefaultPartitioner

from bench.errors import WrongResultError
from bench.load.later import Ended, refund_created
from bench.site import PARTITIONS
from bench.year.stories import SEED, STORIES, Life, Story, life
from decisions.decode import Decoder
from decisions.fold import fold
from domain.call_key import Operation
from domain.calls import ProviderCall
from ports.producer_record import ProducerRecord
from ports.provider import Account
from ports.records import ConsumedRecord, DecodedInput, RecordOffset
from ports.work_items import ClaimedCall, UnroutedWebhook
from postgres import outbox, routing
from postgres.batch import transaction as store
from postgres.batch import unpublished
from providers.stripe.webhooks import StripeTranslator
from sandbox.environment import STRIPE_ACCOUNT
from sandbox.stripe_simulator.chance import Chance
from schemas import headers
from schemas.headers import as_text
from schemas.identity import result_event_id
from schemas.results import ProviderResult
from schemas.topics import PROVIDER_RESULTS

PROVIDER: Final = "stripe"
#: The tenants, each with its share of the payments and the templates it has of each story. The last
#: one has its templates alone.
TENANTS: Final = (
    ("tenant-1", 0.9495, 6),
    ("tenant-2", 0.045, 2),
    ("tenant-3", 0.005, 1),
    ("tenant-4", 0.0005, 1),
)
SMALLEST: Final = ("tenant-5", 10)
#: All templates begin in one minute and their records end in it, so that copies are moved by
#: replacing the minute. Only an expiry is a day later.
LIFE_S: Final = 20.0
WRITTEN_AFTER: Final = timedelta(milliseconds=30)
PUBLISHED_AFTER: Final = timedelta(milliseconds=15)
ANSWERED_AFTER_S: Final = 0.3
#: Records that a template has at most in a topic: as many offsets are kept for each.
RECORDS_MAX: Final = 16
#: Attempts of a call in back-off, and until when it waits.
ATTEMPTS: Final = 3
WAITS_FOR: Final = timedelta(hours=2)

Connection = store.Connection


@dataclass(frozen=True, slots=True)
class Template:
    """What is multiplied: the rows that contain one of the IDs of a row that has ``seed``.

    Args:
        number: the template's number.
        seed: the payment's ID, or another one.
        share: of the store's payments. None: it is no payment of the store's usual mix.
    """

    number: int
    seed: str
    share: float | None


@dataclass
class Writer:
    """Writes records in the stream's way, and makes the calls they ask for."""

    connection: Connection
    _decoder: Decoder = field(
        default_factory=lambda: Decoder(
            {PROVIDER: StripeTranslator(Account(STRIPE_ACCOUNT, is_live=False))}
        )
    )
    _number: int = 0
    _offsets: Counter[tuple[str, int]] = field(default_factory=Counter)

    def begin(self, number: int) -> None:
        """Begins with the records of another template: their offsets are its own."""
        self._number = number
        self._offsets.clear()

    async def live(self, one: Life) -> None:
        """Writes a whole life. Its calls are answered. Raises WrongResultError."""
        order = count()
        due: list[tuple[float, int, ProducerRecord, ClaimedCall | None]] = [
            (after_s, next(order), record, None) for after_s, record in one.records
        ]
        heapq.heapify(due)
        while due:
            after_s, _, record, answered = heapq.heappop(due)
            at = one.begun_at + timedelta(seconds=after_s)
            asks = await self.take(record, at + WRITTEN_AFTER)
            if answered is not None:
                await self._finish(one, answered, at)
            for claimed in await self.claim(at + WRITTEN_AFTER) if asks else ():
                answer_at = at + timedelta(seconds=ANSWERED_AFTER_S)
                result = answer_to(one, claimed.call, answer_at)
                heapq.heappush(due, (after_s + ANSWERED_AFTER_S, next(order), result, claimed))

    async def take(self, record: ProducerRecord, now: datetime) -> bool:
        """Decides and writes one record. Returns whether it asks for calls.

        Raises WrongResultError if it can't be decoded.
        """
        received = self._decode(record)
        loaded = await store.load(self.connection, [received], self._decoder.decode, alone=True)
        plan = fold(loaded, [received])
        published = await store.write(self.connection, plan, now)
        if published:
            ids = {each.publication_id for each in published}
            await unpublished.mark_published(self.connection, ids, now + PUBLISHED_AFTER)
        return bool(plan.calls)

    async def claim(self, now: datetime) -> list[ClaimedCall]:
        """Claims what is due."""
        until = now + timedelta(seconds=ANSWERED_AFTER_S)
        return await outbox.claim(self.connection, PROVIDER, 10, now, until)

    async def _finish(self, one: Life, claimed: ClaimedCall, at: datetime) -> None:
        outcome = f"acknowledged: {_answer(one, claimed.call)}"
        if not await outbox.finish(self.connection, claimed, outcome, at):
            raise WrongResultError(f"the call {claimed.call.key} was claimed twice")

    def _decode(self, record: ProducerRecord) -> DecodedInput:
        numbers = list(range(PARTITIONS))
        partition = DefaultPartitioner()(record.key, numbers, numbers)
        index = self._offsets[record.topic, partition]
        self._offsets[record.topic, partition] += 1
        if index >= RECORDS_MAX:
            raise WrongResultError(f"a template has more than {RECORDS_MAX} records of a topic")
        found = self._decoder.decode(
            ConsumedRecord(
                position=RecordOffset(record.topic, partition, self._number * RECORDS_MAX + index),
                key=record.key,
                value=record.value,
                headers=as_text(record.headers),
                timestamp_ms=0,
            )
        )
        if not isinstance(found, DecodedInput):
            raise WrongResultError(f"a template's record can't be decoded: {found.error}")
        return found


async def make(database_url: str, minute: datetime) -> list[Template]:
    """Writes the template payments into empty tables; they begin in this minute."""
    async with await _connect(database_url) as connection:
        writer, made = Writer(connection), list[Template]()
        for number, (tenant, share, story) in enumerate(_cast()):
            one = life(story, tenant, number, _begin(number, minute))
            writer.begin(number)
            await writer.live(one)
            await connection.commit()
            made.append(Template(number, one.payment_id, share))
        return made


async def make_backing_off(database_url: str, minute: datetime, number: int) -> Template:
    """Writes a payment whose first call has failed several times and waits for its next attempt."""
    async with await _connect(database_url) as connection:
        writer = Writer(connection)
        one = life(STORIES[0], TENANTS[0][0], number, _begin(number, minute))
        writer.begin(number)
        await writer.take(one.records[0][1], one.begun_at + WRITTEN_AFTER)
        for attempt in range(ATTEMPTS):
            at = one.begun_at + timedelta(seconds=1 + 5 * attempt)
            (claimed,) = await writer.claim(at)
            is_last = attempt == ATTEMPTS - 1
            until = minute + WAITS_FOR if is_last else at + timedelta(seconds=1)
            await outbox.retry(connection, claimed, until, "no answer within 20 s")
        await connection.commit()
        return Template(number, one.payment_id, None)


async def make_unrouted(database_url: str, minute: datetime, number: int) -> Template:
    """Stores a webhook that names no payment, and whose object no payment has."""
    draw = Chance(f"{SEED}/{number}")
    nowhere = Ended("", draw.object_id("pi_3", number), draw.whole(100, 50_000, "amount"))
    at = _begin(number, minute)
    delivery = refund_created(draw, nowhere, number, int(at.timestamp()))
    named = {
        headers.EVENT_ID: delivery.event_id,
        headers.PROVIDER: PROVIDER,
        headers.RECEIVED_AT: at.isoformat(),
        headers.OBJECT_ID: delivery.object_id,
    }
    webhook = UnroutedWebhook(
        event_id=delivery.event_id,
        provider=PROVIDER,
        object_id=delivery.object_id,
        headers=named,
        value=delivery.body,
        payment_id=None,
    )
    async with await _connect(database_url) as connection:
        await routing.park_unrouted(connection, [webhook], at + WRITTEN_AFTER)
        await connection.commit()
    return Template(number, delivery.event_id, None)


def _cast() -> Iterator[tuple[str, float, Story]]:
    """Each template's tenant, share of the store's payments, and story."""
    percent = sum(story.share for story in STORIES)
    for tenant, of_all, each in TENANTS:
        for story in STORIES:
            for _ in range(each):
                yield tenant, of_all * story.share / percent / each, story
    tenant, payments = SMALLEST
    for story in STORIES[:payments]:
        yield tenant, 0.0, story


def _begin(number: int, minute: datetime) -> datetime:
    """When a payment begins within the minute."""
    until_s = 60.0 - LIFE_S
    return minute + timedelta(seconds=Chance(SEED).between((0.0, until_s), "begin", number))


def _answer(one: Life, call: ProviderCall) -> str:
    """The object that the provider names: the refund, or the payment's."""
    return one.refund_ref if call.operation is Operation.REFUND else one.object_id


def answer_to(one: Life, call: ProviderCall, at: datetime) -> ProducerRecord:
    """The result of a call."""
    result = ProviderResult(
        event_id=result_event_id(call.key),
        payment_id=call.payment_id,
        provider=call.provider,
        call_key=call.key,
        operation=call.operation,
        outcome="acknowledged",
        object_id=_answer(one, call),
        received_at=at,
    )
    value = result.model_dump_json().encode()
    return ProducerRecord(PROVIDER_RESULTS, call.payment_id.encode(), value, ())


async def _connect(database_url: str) -> psycopg.AsyncConnection[Any]:
    connection = await psycopg.AsyncConnection.connect(database_url)
    await connection.execute("set synchronous_commit = off")
    await connection.commit()
    return connection


def minute_of(now: datetime) -> datetime:
    """The minute a year before, in which the templates live."""
    return now.astimezone(UTC).replace(second=0, microsecond=0) - timedelta(days=365)

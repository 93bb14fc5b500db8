"""The in-memory store behaves like Postgres: the same batches and the same races on both."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import pytest
from msgspec import structs
from psycopg_pool import AsyncConnectionPool

from decisions.decode import Decoder
from decisions.fold import fold
from ports.batch import InboxEntry, Publishable, ReadSet, WriteSet, publication_order
from ports.errors import BatchConflictError, KeyTakenError
from ports.records import DecodedInput
from ports.stores import BatchStore
from postgres.stores import PostgresBatches
from providers.stripe.webhooks import StripeTranslator
from tests import accounts
from tests.simulation.clock import SkewedClock
from tests.simulation.faults import Chance
from tests.simulation.postgres.changes import Changes
from tests.simulation.postgres.connection import Connection
from tests.simulation.postgres.database import Database
from tests.simulation.postgres.store import MemoryBatches
from tests.simulation.postgres.transaction import MemoryTransaction
from tests.simulation.process import Process
from tests.simulation.programs.parts import REAL
from tests.simulation.run import Runner
from tests.simulation.trace import Trace
from tests.support import database

pytestmark = pytest.mark.anyio

#: Seeds with refunds, disputes, parked inputs and reports in every order.
SEEDS: Final = (3, 11, 19)
DECODER: Final = Decoder({"stripe": StripeTranslator(accounts.STRIPE)})


@dataclass(frozen=True, slots=True)
class Batch:
    """A committed batch."""

    received: Sequence[DecodedInput]
    plan: WriteSet
    now: datetime


class _Recording(MemoryTransaction):
    """Records the committed batches, in order."""

    batches: list[Batch]

    async def load(self, batch: Sequence[DecodedInput]) -> ReadSet:
        self._batch = batch
        return await super().load(batch)

    async def write(self, plan: WriteSet, now: datetime) -> list[Publishable]:
        published = await super().write(plan, now)
        batch = Batch(self._batch, plan, now)
        commit, committed = self.changes.commit, self.batches

        class Recorded(Changes):
            def commit(self, database: Database) -> None:
                commit(database)
                committed.append(batch)

        self.changes = Recorded(*(getattr(self.changes, name) for name in Changes.__slots__))
        return published


def batches_of(seed: int) -> list[Batch]:
    """The batches that a seed's workers committed; of the next seed if a payment is poisoned."""
    committed: list[Batch] = []
    recording = type("Recording", (_Recording,), {"batches": committed})
    store = type("Store", (MemoryBatches,), {"make_transaction": recording})
    report = Runner(replace(REAL, batch_store=store)).run(seed)
    assert not report.violations, str(report)
    if report.met["poison"]:
        return batches_of(seed + 1)
    return committed


def memory() -> BatchStore:
    """An empty in-memory store without faults."""
    chance = Chance(1)
    chance.heal()
    process = Process("test", chance, Trace(), SkewedClock())
    return MemoryBatches(Connection(Database(), process), DECODER.decode, lambda _: None)


@pytest.fixture
async def postgres(database_url: str) -> AsyncIterator[BatchStore]:
    """The real store, empty: the publications of another test would be unpublished here."""
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        database_url, min_size=1, max_size=4, open=False
    )
    async with pool:
        await database.empty(pool)
        yield PostgresBatches(pool, DECODER.decode)


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest, postgres: BatchStore) -> BatchStore:
    """The in-memory store or the real one."""
    return postgres if request.param == "postgres" else memory()


class _Numbered:
    """Publication IDs replaced by their order of appearance, because sequences start anywhere."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def of(self, publication_id: int) -> int:
        """A publication's number."""
        return self._numbers.setdefault(publication_id, len(self._numbers))

    def known(self, known: Mapping[str, InboxEntry]) -> dict[str, InboxEntry]:
        """Inbox entries, with numbers."""
        return {
            event_id: structs.replace(
                k, publication_id=k.publication_id and self.of(k.publication_id)
            )
            for event_id, k in sorted(known.items())
        }

    def published(self, published: Sequence[Publishable]) -> list[Publishable]:
        """Records to publish, with numbers, in one order."""
        ordered = sorted(published, key=lambda p: (publication_order(p), str(p)))
        return [structs.replace(p, publication_id=self.of(p.publication_id)) for p in ordered]


async def _replayed(store: BatchStore, batches: Sequence[Batch]) -> AsyncIterator[tuple[Any, ...]]:
    """Yields per batch the store's read set, records to publish and unpublished records."""
    numbers = _Numbered()
    for number, batch in enumerate(batches):
        async with store.transaction() as transaction:
            loaded = await transaction.load(batch.received)
            plan = fold(loaded, batch.received)
            plan.duplicates = batch.plan.duplicates
            plan.dead_letters = batch.plan.dead_letters
            published = await transaction.write(plan, batch.now)
        ids = {p.publication_id for p in published}
        if number % 3:  # every third publication stays unpublished
            await store.mark_published(ids, batch.now)
        entry = structs.replace(loaded, known=numbers.known(loaded.known), parked=_parked(loaded))
        left = await store.unpublished(publication_ids=ids)
        yield entry, numbers.published(published), numbers.published(left)


def _parked(loaded: ReadSet) -> dict[str, tuple[DecodedInput, ...]]:
    """The parked inputs without the broker's timestamp, which is not stored."""
    return {
        payment_id: tuple(
            structs.replace(r, record=structs.replace(r.record, timestamp_ms=0)) for r in waiting
        )
        for payment_id, waiting in loaded.parked.items()
    }


def _first_two_batches(seed: int) -> tuple[Batch, Batch]:
    """The batches that created and next changed one payment, without other payments."""
    batches = batches_of(seed)
    creating = next(b for b in batches if b.plan.payments.keys() - b.plan.stored.keys())
    payment_id = min(creating.plan.payments.keys() - creating.plan.stored.keys())
    changing = next(b for b in batches if payment_id in b.plan.stored)
    first, second = (
        replace(b, received=[r for r in b.received if r.payment_id == payment_id])
        for b in (creating, changing)
    )
    return first, second


@pytest.fixture(params=SEEDS)
def batches(request: pytest.FixtureRequest) -> list[Batch]:
    """The batches of one seed. It is synchronous, because a simulation has its own loop."""
    return batches_of(request.param)


@pytest.fixture
def first_two(request: pytest.FixtureRequest) -> tuple[Batch, Batch]:
    """A payment's creation and first change; each store has its own payment."""
    return _first_two_batches(7 if "memory" in request.node.name else 6)


async def test_the_same_batches_have_the_same_effect(
    batches: list[Batch], postgres: BatchStore
) -> None:
    """Read sets, records to publish and unpublished records are equal, batch by batch."""
    assert len(batches) > 5
    here = [step async for step in _replayed(memory(), batches)]
    there = [step async for step in _replayed(postgres, batches)]
    for number, (in_memory, in_postgres) in enumerate(zip(here, there, strict=True)):
        assert in_memory == in_postgres, f"batch {number}"


async def _write(store: BatchStore, batch: Batch, loaded: ReadSet | None = None) -> None:
    """Commits a batch, decided on the given read set if there is one."""
    async with store.transaction() as transaction:
        now = await transaction.load(batch.received)
        await transaction.write(fold(loaded or now, batch.received), batch.now)


async def _error_of_second(
    waiting: asyncio.Task[None], go_on: asyncio.Event
) -> BaseException | None:
    """The error of a transaction that waits for another, after that one went on."""
    done, _ = await asyncio.wait({waiting}, timeout=0.2)
    assert not done, "it did not wait"
    go_on.set()
    await asyncio.wait({waiting})
    return waiting.exception()


async def test_races_end_the_same_way(first_two: tuple[Batch, Batch], store: BatchStore) -> None:
    """The second transaction waits and sees the first's writes; an outdated one is refused."""
    creating, changing = first_two

    async def hold(batch: Batch, entered: asyncio.Event, go_on: asyncio.Event) -> None:
        async with store.transaction() as transaction:
            loaded = await transaction.load(batch.received)
            await transaction.write(fold(loaded, batch.received), batch.now)
            entered.set()
            await go_on.wait()

    for batch in (creating, changing):
        entered, go_on = asyncio.Event(), asyncio.Event()
        holding = asyncio.create_task(hold(batch, entered, go_on))
        await entered.wait()
        second = asyncio.create_task(_write(store, batch))
        assert await _error_of_second(second, go_on) is None
        await holding

    with pytest.raises(KeyTakenError):
        await _write(
            store,
            creating,
            ReadSet(payments={}, known={}, quarantined=frozenset(), parked={}, owners={}),
        )
    async with store.transaction() as transaction:
        before = await transaction.load(changing.received)
    stale = structs.replace(before, known={})
    with pytest.raises(BatchConflictError):
        await _write(store, changing, stale)

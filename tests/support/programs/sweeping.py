"""A reconciler with its input and output."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import CollectorRegistry

from ports.producer_record import ProducerRecord
from ports.provider import FetchedEvent
from ports.records import ConsumedRecord, RecordOffset
from postgres.notices import PostgresNotices
from postgres.stores import Pool, PostgresSweeps
from processor.worker.metrics import WorkerMetrics
from processor.worker.sweeps.reconciler import Notices, Reconciler
from providers.stripe.webhooks import StripeTranslator, read
from schemas import headers
from schemas.settings import WorkerSettings
from tests import accounts
from tests.support import database
from tests.support.builders import NOW, Clock, Log, event_body
from tests.support.fakes import Finder, Provider, RecordingSender

SILENT_S = 120.0
#: So old that no provider's list is so late.
LONG_AGO = NOW - timedelta(days=1)


class Leads:
    """A ``Leadership`` that the test gives and takes."""

    def __init__(self) -> None:
        self.is_held = True

    async def run(self) -> None:
        """See ``Leadership.run``."""


class Sweeps(PostgresSweeps):
    """The store, whose clock the test sets, too."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        super().__init__(pool)
        self.clock = clock

    async def now(self) -> datetime:
        """See ``SweepStore.now``."""
        return self.clock()


class Sweeping:
    """A reconciler that leads, its requests and what it sent."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        *,
        part_kinds: Sequence[str] = ("refunds",),
        provider: Provider | None = None,
        outbox: RecordingSender | None = None,
        **settings: Any,
    ) -> None:
        self.provider = provider or Provider(part_kinds=part_kinds)
        self.store = Sweeps(pool, clock)
        self.outbox = outbox or RecordingSender()
        self.registry = CollectorRegistry()
        self.leadership = Leads()
        self.finder = Finder()
        self.shop = Finder("shop")
        own = {"unfinished_after_s": SILENT_S, "reconcile_per_s": 10_000.0}
        self.reconciler = Reconciler(
            self.store,
            self.outbox,
            {"stripe": self.provider},
            {"stripe": StripeTranslator(accounts.STRIPE)},
            WorkerSettings(**(own | settings)),
            WorkerMetrics(self.registry),
            clock,
            self.leadership,
            notices=Notices(PostgresNotices(pool), {"stripe": self.finder, "shop": self.shop}),
        )

    async def round(self) -> list[ProducerRecord]:
        """Runs every sweep once, one after the other. Returns what they sent."""
        self.outbox.records.clear()
        for sweep in self.reconciler.sweeps:
            await self.reconciler.run(sweep)
        return list(self.outbox.records)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the loop of every sweep in a task of its own."""
        tasks = [asyncio.ensure_future(loop.run()) for loop in self.reconciler.loops().values()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def errors(self, sweep: str) -> float | None:
        """How often a sweep has failed."""
        return self.registry.get_sample_value("payments_worker_errors_total", {"loop": sweep})

    def missing_objects(self) -> float | None:
        """How many looks found that the provider does not have the object."""
        name, labels = "payments_missing_objects_total", {"provider": "stripe"}
        return self.registry.get_sample_value(name, labels)

    def dead_letters(self) -> float | None:
        """How many dead letters were sent."""
        return self.registry.get_sample_value("payments_dead_letters_total")

    def completed(self, sweep: str) -> float | None:
        """When a sweep last came to its end, as Unix time."""
        name = "payments_sweep_completed_timestamp_seconds"
        return self.registry.get_sample_value(name, {"sweep": sweep})

    def age(self, kind: str) -> float | None:
        """The age of the oldest of what waits, in seconds."""
        return self.gauge("payments_backlog_oldest_age_seconds", kind)

    def gauge(self, name: str, kind: str) -> float | None:
        """A gauge of what waits."""
        return self.registry.get_sample_value(name, {"kind": kind})


def event(payment_id: str, event_id: str, *, ours: bool = True) -> FetchedEvent:
    """An event of the provider's list. If it is not ours, it names no payment and no call."""
    metadata = {"payment_id": payment_id} if ours else {}
    happened = event_body(payment_id, "succeeded", event_id, metadata=metadata)
    body = json.dumps(happened if ours else happened | {"request": None}).encode()
    return FetchedEvent(read(body), body, LONG_AGO)


def as_record(sent: ProducerRecord) -> ConsumedRecord:
    """A sent record as the log has it."""
    return ConsumedRecord(
        position=RecordOffset(sent.topic, 0, 0),
        key=sent.key,
        value=sent.value,
        headers=headers.as_text(sent.headers),
        timestamp_ms=0,
    )


def event_ids(sent: list[ProducerRecord]) -> list[str]:
    """The event IDs of sent records, in order."""
    return [headers.as_text(record.headers)[headers.EVENT_ID] for record in sent]


async def process_status(pool: Pool, status: str, *payment_ids: str, **changes: Any) -> None:
    """Creates payments whose object has this status since NOW."""
    log = Log()
    for one in payment_ids:
        await database.process(pool, log.create(one, **changes), log.webhook(one, status))

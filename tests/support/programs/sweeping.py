"""A reconciler with its input and output."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry
from psycopg import AsyncConnection

from ports.producer_record import ProducerRecord
from ports.provider import FetchedEvent
from ports.records import ConsumedRecord, RecordOffset
from postgres.stores import Pool, PostgresSweeps
from processor.worker.metrics import WorkerMetrics
from processor.worker.reconciler import Reconciler
from providers.stripe.webhooks import read
from schemas import headers
from schemas.settings import WorkerSettings
from tests.support import database
from tests.support.builders import Clock, Log, event_body
from tests.support.fakes import Provider, RecordingSender

SILENT_S = 120.0


class Sweeping:
    """A reconciler, its requests and what it sent."""

    def __init__(self, url: str, pool: Pool, clock: Clock, **settings: Any) -> None:
        self.provider = Provider()
        self.outbox = RecordingSender()
        self.registry = CollectorRegistry()
        self.rounds = 0
        self.gave_way = 0
        self._task: asyncio.Task[None] | None = None
        own = {
            "unfinished_after_s": SILENT_S,
            "reconcile_every_s": 0.01,
            "reconcile_per_s": 10_000.0,
        }
        self.reconciler = Reconciler(
            url,
            PostgresSweeps(pool),
            self.outbox,
            {"stripe": self.provider},
            WorkerSettings(**(own | settings)),
            WorkerMetrics(self.registry),
            clock,
        )

    async def round(self) -> list[ProducerRecord]:
        """Runs one round. Returns what it sent."""
        self.outbox.records.clear()
        await self.reconciler.round()
        return list(self.outbox.records)

    def errors(self, sweep: str) -> float | None:
        """How often a sweep has failed."""
        return self.registry.get_sample_value("payments_worker_errors_total", {"loop": sweep})

    def gauge(self, name: str, kind: str) -> float | None:
        """A gauge of what waits."""
        return self.registry.get_sample_value(name, {"kind": kind})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs the loop in a task. Its rounds are counted, not made."""
        self._lead = self.reconciler._lead
        self.reconciler._lead = self._try  # type: ignore[method-assign]  # counted, see above
        self.reconciler.round = self._count  # type: ignore[method-assign]  # as above
        self._task = asyncio.create_task(self.reconciler.run())
        try:
            yield
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Cancels the loop, as the end of its process does."""
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _try(self, leader: AsyncConnection[Any]) -> None:
        await self._lead(leader)
        self.gave_way += 1

    async def _count(self) -> None:
        self.rounds += 1


def event(payment_id: str, event_id: str, *, ours: bool = True) -> FetchedEvent:
    """An event of the provider's list. If it is not ours, it has no payment ID."""
    metadata = {"payment_id": payment_id} if ours else {}
    body = json.dumps(event_body(payment_id, "succeeded", event_id, metadata=metadata)).encode()
    return FetchedEvent(read(body), body)


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

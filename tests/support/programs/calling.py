"""A dispatcher that a test runs round by round, with the longest waits."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry

from ports.producer_record import ProducerRecord
from ports.records import ConsumedRecord, DecodedInput, RecordOffset
from ports.stores import Outbox
from postgres.stores import Pool, PostgresOutbox
from processor.worker.calls.dispatcher import LOOP, Dispatcher
from processor.worker.metrics import WorkerMetrics
from schemas.settings import WorkerSettings
from tests.support import database
from tests.support.builders import Clock, Log, payment, received
from tests.support.fakes import Provider, RecordingSender
from tests.support.programs.folding import ONE

#: Seconds: a lease, the first wait, the longest wait, the life of a key, how late a list may be.
LEASE_S, BASE_S, MAX_S, KEY_S, SETTLES_S = 60.0, 1.0, 8.0, 3600.0, 120.0
KEY: Final = f"{ONE}:create"


class LongestWait(random.Random):
    """Draws the longest wait every time, so that tests can predict it."""

    def uniform(self, a: float, b: float) -> float:
        """The upper bound."""
        return max(a, b)


class Caller:
    """A dispatcher, run round by round."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        store: Outbox | None = None,
        others: Sequence[Provider] = (),
        **settings: Any,
    ) -> None:
        self.pool = pool
        self.provider = Provider()
        self.outbox = RecordingSender()
        self._registry = CollectorRegistry()
        own = {
            "call_lease_s": LEASE_S,
            "call_backoff_base_s": BASE_S,
            "call_backoff_max_s": MAX_S,
            "call_key_lifetime_s": KEY_S,
            "event_list_settles_s": SETTLES_S,
            "breaker_failures": 100,
        }
        self.calls = Dispatcher(
            store or PostgresOutbox(pool),
            self.outbox,
            {provider.name: provider for provider in (self.provider, *others)},
            WorkerSettings(**(own | settings)),
            WorkerMetrics(self._registry),
            clock,
            LongestWait(),
        )

    async def round(self) -> int:
        """Claims and makes due calls. Returns how many."""
        claimed = await self.calls.claim_and_start()
        await self.finished()
        return claimed

    async def finished(self) -> None:
        """Waits until no call is in flight."""
        await asyncio.gather(*self.calls.in_flight(), return_exceptions=True)

    def errors(self) -> float:
        """The number of unforeseen errors."""
        found = self._registry.get_sample_value("payments_worker_errors_total", {"loop": LOOP})
        return found or 0.0

    async def row(self, *columns: str) -> tuple[Any, ...]:
        """These columns of the only call."""
        (row,) = await database.rows(self.pool, "select to_jsonb(c) from provider_calls c")
        return tuple(row[0][column] for column in columns)

    async def due_at(self) -> datetime:
        """When the only call is due."""
        (at,) = await self.row("next_attempt_at")
        return datetime.fromisoformat(at)


def as_input(sent: ProducerRecord) -> DecodedInput:
    """The result as the stream decodes it."""
    return received(
        ConsumedRecord(
            position=RecordOffset(sent.topic, 0, 0),
            key=sent.key,
            value=sent.value,
            headers={},
            timestamp_ms=0,
        )
    )


async def create_due_calls(pool: Pool, count: int) -> set[str]:
    """Creates this many calls, due now. Returns their keys."""
    log = Log()
    ids = [payment(f"due {number}") for number in range(count)]
    await database.process(pool, *(log.create(payment_id) for payment_id in ids))
    return {f"{payment_id}:create" for payment_id in ids}

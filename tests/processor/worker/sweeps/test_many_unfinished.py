"""However many payments are unfinished: what waits is measured, expired and listed in time.

Each answer of the provider takes a quarter of a second. `make unfinished` has 100,000 payments.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

import pytest

from ports.producer_record import ProducerRecord
from ports.provider import FetchedEvent
from postgres.stores import Pool
from providers.stripe.webhooks import read
from schemas.settings import WorkerSettings
from schemas.topics import PAYMENT_COMMANDS
from tests.support.builders import Clock, event_body, object_of, payment
from tests.support.fakes import Provider, RecordingSender
from tests.support.programs.folding import ONE, TWO
from tests.support.programs.sweeping import Sweeping, process_status
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

ANSWER_S: Final = 0.25
DUE_PER_S: Final = 100
EVENT_LIST_EVERY_S: Final = 2.0
#: How long it goes on, in seconds; longer from so many payments on.
SECONDS, SECONDS_LARGE, LARGE = 12, 60, 100_000
#: The goal: no gauge is older than this.
GAUGES_AGE_MAX_S: Final = 15.0
COPY: Final = """
    insert into payments
    select (json_populate_record(p, json_build_object(
        'payment_id', c.id, 'object_id', c.object_id, 'expires_at', c.expires_at,
        'document', replace(replace(p.document::text, p.payment_id, c.id),
            p.object_id, c.object_id)::jsonb))).*
    from payments p, unnest(%s::text[], %s::text[], %s::timestamptz[]) c (id, object_id, expires_at)
    where p.payment_id = %s"""


class RunningClock(Clock):
    """The real time."""

    def __call__(self) -> datetime:
        """The time."""
        return datetime.now(UTC)


@dataclass
class SlowProvider(Provider):
    """Nothing changes at it, and each answer takes a while."""

    payments: dict[str, str] = field(default_factory=dict)
    listed_at: list[float] = field(default_factory=list)

    async def retrieve(self, object_id: str) -> FetchedEvent:
        """See ``ProviderClient.retrieve``."""
        self.retrieved.append(object_id)
        await asyncio.sleep(ANSWER_S)
        event = event_body(self.payments[object_id], "requires_capture", "look", metadata={})
        known = json.dumps(event | {"request": None}).encode()
        return FetchedEvent(read(known), known)

    async def events_after(
        self, cursor: str | None, since: datetime | None = None
    ) -> AsyncIterator[Sequence[FetchedEvent]]:
        """See ``ProviderClient.events_after``."""
        del cursor, since
        self.listed_at.append(time.monotonic())
        await asyncio.sleep(ANSWER_S)
        yield []


@dataclass
class TimedSender(RecordingSender):
    """Notes when each payment's command was published."""

    sent_at: dict[str, datetime] = field(default_factory=dict)

    async def send(self, records: Sequence[ProducerRecord]) -> None:
        """See ``RecordSender.send``."""
        for record in records:
            if record.topic == PAYMENT_COMMANDS and record.key is not None:
                self.sent_at.setdefault(record.key.decode(), datetime.now(UTC))


async def _copy(pool: Pool, of: str, ids: Sequence[str], due: Sequence[datetime]) -> None:
    async with pool.connection() as connection:
        objects = [object_of(one) for one in ids]
        await connection.execute(COPY, (list(ids), objects, list(due), of))
        await connection.execute("analyze payments")


async def test_neither_gauges_nor_expiry_nor_the_event_list_wait_for_looks(
    pool: Pool, request: pytest.FixtureRequest
) -> None:
    """A payment is expired soon after its time, and looks are as many as their rate allows."""
    size: int = request.config.getoption("--unfinished")
    seconds = SECONDS if size < LARGE else SECONDS_LARGE
    await process_status(pool, "requires_capture", ONE)
    await process_status(pool, "requires_action", TWO)
    silent = [payment(f"silent {n}") for n in range(size)]
    due = [payment(f"due {n}") for n in range(DUE_PER_S * seconds)]
    provider = SlowProvider(payments={object_of(one): one for one in (ONE, TWO, *silent, *due)})
    outbox, clock, settings = TimedSender(), RunningClock(), WorkerSettings()
    await _copy(pool, ONE, silent, [clock() + timedelta(days=7)] * size)
    begun = clock() + timedelta(seconds=2)  # when they are stored
    due_at = [begun + timedelta(seconds=n / DUE_PER_S) for n in range(len(due))]
    await _copy(pool, TWO, due, due_at)
    sweeping = Sweeping(
        pool,
        clock,
        provider=provider,
        outbox=outbox,
        event_list_every_s=EVENT_LIST_EVERY_S,
        objects_every_s=1.0,
        reconcile_per_s=settings.reconcile_per_s,
    )

    async def measured() -> bool:
        return sweeping.completed("backlog") is not None and bool(provider.retrieved)

    ages: list[float] = []
    async with sweeping.running():
        await until(measured, 30)
        looked, since = len(provider.retrieved), time.monotonic()
        while (passed_s := time.monotonic() - since) < seconds:
            ages.append(time.time() - (sweeping.completed("backlog") or 0))
            await asyncio.sleep(0.25)
        looks_per_s = (len(provider.retrieved) - looked) / passed_s
    ended = datetime.now(UTC)
    waits = [
        ((outbox.sent_at.get(one) or ended) - at).total_seconds()
        for one, at in zip(due, due_at, strict=True)
        if at < ended
    ]
    gaps = [later - earlier for earlier, later in pairwise(provider.listed_at)]
    logging.getLogger(__name__).info(
        "%d unfinished: gauges at most %.1f s old, %d expired at most %.1f s late, "
        "the event list read every %.1f s at most, %.1f looks a second",
        *(size, max(ages), len(waits), max(waits), max(gaps), looks_per_s),
    )
    assert max(ages) < GAUGES_AGE_MAX_S
    assert max(waits) < 2 * settings.expiry_every_s
    assert max(gaps) < 2 * EVENT_LIST_EVERY_S + ANSWER_S
    assert looks_per_s > 0.8 * settings.reconcile_per_s

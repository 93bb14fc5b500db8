"""A router with its input and output."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from ports.records import ConsumedRecord
from ports.stores import RecordSender
from postgres.stores import Pool, PostgresRouting
from processor.worker.metrics import WorkerMetrics
from processor.worker.router import Router, create_consumer
from providers.examplepay.webhooks import ExamplePayTranslator
from providers.stripe.notices.reading import StripeNoticeTranslator
from providers.stripe.webhooks import StripeTranslator
from schemas import headers
from schemas.settings import WorkerSettings
from schemas.topics import PROVIDER_WEBHOOKS_UNROUTED
from tests import accounts
from tests.support import database
from tests.support.builders import NOW, Clock, Log, event_body, object_of
from tests.support.fakes import RecordingSender
from tests.support.programs.folding import ONE

MAX_AGE_S = 3600.0
#: The ID of a waiting record that leaves its event's ID to another rendering.
UNREAD_ID: Final = f"evt_1@{PROVIDER_WEBHOOKS_UNROUTED}/0/0"


def unrouted(payment_id: str, event_id: str = "evt_1", **named: str) -> ConsumedRecord:
    """A webhook of a refund of the payment's object that somebody made at the provider."""
    event = json.loads(Log().refund_event(payment_id, "re_1", "succeeded", 400).value)
    body = json.dumps(event | {"id": event_id}).encode()
    good = {
        headers.EVENT_ID: event_id,
        headers.PROVIDER: "stripe",
        headers.RECEIVED_AT: NOW.isoformat(),
        headers.OBJECT_ID: object_of(payment_id),
    }
    key = object_of(payment_id).encode()
    record = Log().append(PROVIDER_WEBHOOKS_UNROUTED, key, body)
    return replace(record, headers={**good, **named})


def intent(
    payment_id: str, event_id: str = "evt_1", caused_by: str | None = None
) -> ConsumedRecord:
    """A webhook of a payment intent that has no payment ID of ours, caused by this call."""
    event = event_body(payment_id, "succeeded", event_id)
    event["request"]["idempotency_key"] = caused_by
    return replace(unrouted(payment_id, event_id), value=json.dumps(event).encode())


def payout(event_id: str = "evt_payout", **named: str) -> ConsumedRecord:
    """A webhook of a type that concerns no payment."""
    event = {
        "id": event_id,
        "type": "payout.paid",
        "created": int(NOW.timestamp()),
        "livemode": False,
        "data": {"object": {"id": "po_1", "object": "payout"}},
    }
    record = unrouted(ONE, event_id, **{headers.OBJECT_ID: "po_1", **named})
    return replace(record, value=json.dumps(event).encode())


class Routing:
    """A router, and what it sent."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        bootstrap: str = "nowhere:1",
        source: Callable[[str], AIOKafkaConsumer] = create_consumer,
        sender: RecordSender | None = None,
    ) -> None:
        self.outbox = RecordingSender()
        settings = WorkerSettings(unrouted_max_age_s=MAX_AGE_S)
        store = PostgresRouting(pool)
        self.metrics = WorkerMetrics(CollectorRegistry())
        self.router = Router(
            store,
            sender or self.outbox,
            partial(source, bootstrap),
            {
                "stripe": StripeTranslator(accounts.STRIPE),
                "examplepay": ExamplePayTranslator(accounts.EXAMPLEPAY),
            },
            settings,
            self.metrics,
            clock,
            notices={"stripe": StripeNoticeTranslator(accounts.STRIPE, "stripe", {})},
        )

    def sent(self) -> list[tuple[str, bytes | None, dict[str, str]]]:
        """Topic, key and headers of the records sent since the last call."""
        found = [(r.topic, r.key, headers.as_text(r.headers)) for r in self.outbox.records]
        self.outbox.records.clear()
        return found


async def create_payments(pool: Pool, *payment_ids: str) -> None:
    """Creates these payments, with their objects at the provider."""
    log = Log()
    await database.process(
        pool, *(r for one in payment_ids for r in (log.create(one), log.result(one)))
    )


async def waiting(pool: Pool) -> list[Any]:
    """Returns the event IDs of the waiting webhooks."""
    return [row[0] for row in await database.rows(pool, "select event_id from unrouted order by 1")]


async def ignored(pool: Pool) -> list[Any]:
    """Returns event ID, kind and reason of the ignored webhooks."""
    statement = "select event_id, kind, reason from ignored_webhooks order by 1"
    return await database.rows(pool, statement)

"""A router with its input and output."""

import json
from collections.abc import Callable
from functools import partial

from aiokafka import AIOKafkaConsumer
from msgspec.structs import replace
from prometheus_client import CollectorRegistry

from ports.records import ConsumedRecord
from postgres.stores import Pool, PostgresRouting
from processor.worker.metrics import WorkerMetrics
from processor.worker.router import Router, create_consumer
from providers.examplepay.webhooks import ExamplePayTranslator
from providers.stripe.webhooks import StripeTranslator
from schemas import headers
from schemas.settings import WorkerSettings
from schemas.topics import PROVIDER_WEBHOOKS_UNROUTED
from tests import accounts
from tests.support.builders import NOW, Clock, Log, event_body, object_of
from tests.support.fakes import RecordingSender
from tests.support.programs.folding import ONE

MAX_AGE_S = 3600.0


def unrouted(payment_id: str, event_id: str = "evt_1", **named: str) -> ConsumedRecord:
    """A webhook about the payment's object, without a payment ID."""
    body = json.dumps(event_body(payment_id, "succeeded", event_id)).encode()
    good = {
        headers.EVENT_ID: event_id,
        headers.PROVIDER: "stripe",
        headers.RECEIVED_AT: NOW.isoformat(),
        headers.OBJECT_ID: object_of(payment_id),
    }
    key = object_of(payment_id).encode()
    record = Log().append(PROVIDER_WEBHOOKS_UNROUTED, key, body)
    return replace(record, headers={**good, **named})


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
    ) -> None:
        self.outbox = RecordingSender()
        settings = WorkerSettings(unrouted_max_age_s=MAX_AGE_S)
        store = PostgresRouting(pool)
        self.metrics = WorkerMetrics(CollectorRegistry())
        self.router = Router(
            store,
            self.outbox,
            partial(source, bootstrap),
            {
                "stripe": StripeTranslator(accounts.STRIPE),
                "examplepay": ExamplePayTranslator(accounts.EXAMPLEPAY),
            },
            settings,
            self.metrics,
            clock,
        )

    def sent(self) -> list[tuple[str, bytes | None, dict[str, str]]]:
        """Topic, key and headers of the records sent since the last call."""
        found = [(r.topic, r.key, headers.as_text(r.headers)) for r in self.outbox.records]
        self.outbox.records.clear()
        return found

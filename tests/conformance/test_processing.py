"""A provider's webhooks, decoded and decided by the processor in any order."""

import random
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from decisions.decode import Decoder
from decisions.fold import fold
from domain.inputs import PaymentFact
from domain.status import Outcome, Status
from ports.batch import ReadSet, WriteSet
from ports.provider import ProviderClient
from ports.records import ConsumedRecord, DecodedInput, RecordOffset
from processor.stream.metrics import StreamMetrics
from schemas import headers
from schemas.commands import CreatePayment
from schemas.results import ProviderResult
from schemas.topics import PAYMENT_COMMANDS, PROVIDER_RESULTS, PROVIDER_WEBHOOKS
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.calls import AMOUNT, PAYMENT, call, make
from tests.conformance.kit.rows import over_http

pytestmark = [pytest.mark.anyio, over_http]

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
ORDERS: Final = 20


def created(adapter: type[Adapter] | Adapter, position: int = 0) -> ConsumedRecord:
    """The record of the command that creates the payment."""
    command = CreatePayment(
        event_id="cmd_1",
        payment_id=PAYMENT,
        tenant="shop",
        operation_id="op_1",
        fingerprint="fp_1",
        received_at=NOW,
        provider=adapter.name,
        amount=AMOUNT,
        currency="EUR",
        payment_method=adapter.tokens.good,
        capture_method="automatic",
        max_attempts=2,
        expires_at=NOW + timedelta(days=1),
    )
    value = command.model_dump_json().encode()
    return ConsumedRecord(
        position=RecordOffset(PAYMENT_COMMANDS, 0, position),
        key=PAYMENT.encode(),
        value=value,
        headers={},
        timestamp_ms=0,
    )


def acknowledged(adapter: type[Adapter] | Adapter, object_id: str) -> ConsumedRecord:
    """The record of the create's result, which proves the payment's object."""
    result = ProviderResult(
        event_id="res_1",
        payment_id=PAYMENT,
        provider=adapter.name,
        call_key=f"{PAYMENT}:create",
        operation="create",
        outcome="acknowledged",
        object_id=object_id,
        received_at=NOW,
    )
    value = result.model_dump_json().encode()
    return ConsumedRecord(
        position=RecordOffset(PROVIDER_RESULTS, 0, 0),
        key=PAYMENT.encode(),
        value=value,
        headers={},
        timestamp_ms=0,
    )


def webhook(adapter: type[Adapter] | Adapter, body: bytes, position: int) -> ConsumedRecord:
    """The record of a webhook, routed to the payment."""
    fact = adapter.translator().translate(body).fact
    named = {
        headers.EVENT_ID: fact.event_id,
        headers.PROVIDER: adapter.name,
        headers.RECEIVED_AT: NOW.isoformat(),
    }
    return ConsumedRecord(
        position=RecordOffset(PROVIDER_WEBHOOKS, 0, position),
        key=PAYMENT.encode(),
        value=body,
        headers=named,
        timestamp_ms=0,
    )


def folded(adapter: type[Adapter] | Adapter, records: list[ConsumedRecord]) -> WriteSet:
    """The write set of these records, folded from an empty state."""
    decoder = Decoder({adapter.name: adapter.translator()})
    received = [decoder.decode(record) for record in records]
    understood = [item for item in received if isinstance(item, DecodedInput)]
    assert len(understood) == len(records)
    return fold(
        ReadSet(payments={}, known={}, quarantined=frozenset(), parked={}, owners={}), understood
    )


async def test_webhooks_in_any_order_end_in_the_same_state(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The payment is declined, paid, refunded in part, disputed and won."""
    token = adapter.tokens.declined
    object_id = await make(client, call(adapter, "create", payment_method=token))
    await make(client, call(adapter, "confirm", object_id))
    await make(client, call(adapter, "refund", object_id))
    adapter.decide(adapter.dispute(object_id), won=True)
    adapter.settle()
    records = [webhook(adapter, d.body, n) for n, d in enumerate(adapter.receiver.deliveries)]
    ends = set()
    for seed in range(ORDERS):
        order = [
            created(adapter),
            acknowledged(adapter, object_id),
            *records,
            *records,
        ]  # each comes twice
        random.Random(seed).shuffle(order)  # noqa: S311  # a seeded order, no secret
        payment = folded(adapter, order).payments[PAYMENT]
        assert payment.status is Status.SUCCEEDED
        assert payment.object_id == object_id
        ends.add((payment.facts, payment.provider_refunds, payment.disputes))
    assert len(ends) == 1


def unknown_status_samples(plan: WriteSet) -> list[str]:
    """The samples of the metric of unknown statuses after this batch."""
    registry = CollectorRegistry()
    StreamMetrics(registry).count(plan)
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if line.startswith("payments_unknown_status_total")]


def test_an_unknown_status_changes_nothing_and_is_counted(kind: type[Adapter]) -> None:
    """It is ignored with the status in the reason, and counted by its own metric."""
    paid, limbo = kind.payment_event("event-1"), kind.payment_event("event-2")
    fact = kind.translator().translate(paid).fact
    assert isinstance(fact, PaymentFact)
    records = [created(kind), acknowledged(kind, fact.object_id), webhook(kind, paid, 1)]
    before = folded(kind, records).payments[PAYMENT]
    records.append(webhook(kind, kind.with_status(limbo, "in_limbo"), 2))
    plan = folded(kind, records)
    assert plan.payments[PAYMENT] == before
    assert plan.inbox[-1].outcome is Outcome.IGNORED
    assert "'in_limbo'" in plan.inbox[-1].reason
    (line,) = unknown_status_samples(plan)
    assert f'provider="{kind.name}"' in line
    assert f'kind="{kind.translator().translate(limbo).kind}"' in line
    assert line.endswith(" 1.0")


def test_an_unknown_kind_of_event_is_not_counted_as_an_unknown_status(kind: type[Adapter]) -> None:
    """There are many such kinds, and they need no attention."""
    other = kind.of_another_kind(kind.payment_event())
    plan = folded(kind, [created(kind), webhook(kind, other, 1)])
    assert plan.inbox[-1].outcome is Outcome.IGNORED
    assert unknown_status_samples(plan) == []

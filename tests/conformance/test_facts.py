"""Facts are in the domain's terms: integer minor units, our own IDs."""

from datetime import timedelta

import pytest

from domain.inputs import DisputeFact, Fact, PaymentFact, RefundFact
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus
from ports.provider import ProviderClient
from schemas import identity
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.rows import over_http
from tests.conformance.kit.story import AMOUNT, PAYMENT, REFUND, call, made

pytestmark = [pytest.mark.anyio, over_http]


def payment(adapter: Adapter, status: ProviderStatus, captured: int = 0) -> PaymentFact:
    """Waits for the fact that the payment is in this status, and checks its amounts."""
    fact = adapter.wait_for_fact(
        lambda fact: isinstance(fact, PaymentFact) and fact.status is status
    )
    assert isinstance(fact, PaymentFact)
    assert (fact.amount, fact.currency, fact.captured) == (AMOUNT, "EUR", captured)
    assert fact.occurred_at.utcoffset() == timedelta(0)
    return fact


def refund(adapter: Adapter, status: RefundStatus) -> RefundFact:
    """Likewise of a refund."""
    fact = adapter.wait_for_fact(
        lambda fact: isinstance(fact, RefundFact) and fact.status is status
    )
    assert isinstance(fact, RefundFact)
    return fact


def dispute(adapter: Adapter, status: DisputeStatus, balance: int) -> DisputeFact:
    """Likewise of a dispute that has so much of our money."""

    def is_it(fact: Fact) -> bool:
        if not isinstance(fact, DisputeFact) or fact.status is not status:
            return False
        return sum(move.amount for move in fact.movements) == balance

    fact = adapter.wait_for_fact(is_it)
    assert isinstance(fact, DisputeFact)
    return fact


async def test_a_payment_that_succeeds(adapter: Adapter, client: ProviderClient) -> None:
    """Captured in full, on the object that the call was answered with."""
    object_id = await made(client, call(adapter, "create"))
    fact = payment(adapter, ProviderStatus.SUCCEEDED, captured=AMOUNT)
    assert fact.object_id == object_id
    assert fact.failure is None


async def test_a_decline_is_an_acknowledgement_and_a_fact(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The attempt failed, the payment did not: another attempt on the same object may succeed."""
    declined = call(adapter, "create", payment_method=adapter.tokens.declined)
    object_id = await made(client, declined)
    fact = payment(adapter, ProviderStatus.ATTEMPT_FAILED)
    assert fact.object_id == object_id
    assert fact.attempt_ref is not None
    assert fact.failure is not None
    assert fact.failure.code
    assert fact.failure.message
    assert await made(client, call(adapter, "confirm", object_id)) == object_id
    paid = payment(adapter, ProviderStatus.SUCCEEDED, captured=AMOUNT)
    assert paid.occurred_at >= fact.occurred_at


async def test_two_declines_are_two_attempts(adapter: Adapter, client: ProviderClient) -> None:
    """Each attempt has a name of its own, so that each counts, and once."""
    token = adapter.tokens.declined
    object_id = await made(client, call(adapter, "create", payment_method=token))
    await made(client, call(adapter, "confirm", object_id, payment_method=token))
    adapter.settle()
    failed = [
        fact.attempt_ref
        for fact in adapter.facts()
        if isinstance(fact, PaymentFact) and fact.status is ProviderStatus.ATTEMPT_FAILED
    ]
    assert len(set(failed)) == 2


async def test_a_customer_who_is_asked_and_passes(adapter: Adapter, client: ProviderClient) -> None:
    """The fact says where the customer has to go; it is over once they have been there."""
    asked = call(adapter, "create", payment_method=adapter.tokens.customer)
    object_id = await made(client, asked)
    fact = payment(adapter, ProviderStatus.ACTION_NEEDED)
    assert fact.action_url is not None
    assert fact.action_url.startswith("http")
    adapter.customer(object_id, passes=True)
    assert payment(adapter, ProviderStatus.SUCCEEDED, captured=AMOUNT).action_url is None


async def test_a_customer_who_is_asked_and_fails(adapter: Adapter, client: ProviderClient) -> None:
    """The attempt failed."""
    asked = call(adapter, "create", payment_method=adapter.tokens.customer)
    adapter.customer(await made(client, asked), passes=False)
    assert payment(adapter, ProviderStatus.ATTEMPT_FAILED).failure is not None


async def test_a_part_that_is_captured(adapter: Adapter, client: ProviderClient) -> None:
    """Held, then captured; the amount of the payment stays what was authorized."""
    object_id = await made(client, call(adapter, "create", capture_method="manual"))
    payment(adapter, ProviderStatus.AUTHORIZED)
    assert await made(client, call(adapter, "capture", object_id)) == object_id
    payment(adapter, ProviderStatus.SUCCEEDED, captured=600)


@pytest.mark.parametrize("cause", [CancelCause.REQUESTED, CancelCause.ATTEMPTS_EXHAUSTED])
async def test_our_cancel_comes_back_with_our_reason(
    adapter: Adapter, client: ProviderClient, cause: CancelCause
) -> None:
    """FAILED or CANCELED is read from it."""
    object_id = await made(client, call(adapter, "create", capture_method="manual"))
    await made(client, call(adapter, "cancel", object_id, cancel_cause=cause))
    assert payment(adapter, ProviderStatus.CANCELED).cancel_cause is cause


@pytest.mark.parametrize("reason", [None, "duplicate", "fraudulent", "requested_by_customer"])
async def test_our_refund_is_the_one_that_our_call_was_answered_with(
    adapter: Adapter, client: ProviderClient, reason: str | None
) -> None:
    """On the payment's object, with the reason that the client gave, and saying that it is ours."""
    object_id = await made(client, call(adapter, "create"))
    asked = call(adapter, "refund", object_id, reason=reason)
    ref = await made(client, asked)
    fact = refund(adapter, RefundStatus.SUCCEEDED)
    assert (fact.ref, fact.claims, fact.object_id) == (ref, REFUND, object_id)
    assert fact.refund_id == identity.provider_made_id("ref", adapter.name, ref)
    assert fact.caused_by in {None, asked.key}
    assert (fact.amount, fact.currency, fact.reason) == (400, "EUR", reason)


async def test_a_refund_made_without_us_has_an_id_of_its_own(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Whatever it is called there, it is none of ours, and every event about it names the same."""
    object_id = await made(client, call(adapter, "create"))
    adapter.refund_elsewhere(object_id, 300)
    adapter.settle()
    reported = [fact for fact in adapter.facts() if isinstance(fact, RefundFact)]
    assert len({fact.refund_id for fact in reported}) == 1
    assert {(fact.object_id, fact.amount) for fact in reported} == {(object_id, 300)}
    assert reported[0].refund_id == identity.provider_made_id("ref", adapter.name, reported[0].ref)
    assert {(fact.claims, fact.caused_by) for fact in reported} == {(None, None)}


async def test_a_refund_that_comes_back(adapter: Adapter, client: ProviderClient) -> None:
    """It had succeeded; the fact says that it failed, and why."""
    object_id = await made(client, call(adapter, "create"))
    adapter.bounce(await made(client, call(adapter, "refund", object_id)))
    fact = refund(adapter, RefundStatus.FAILED)
    assert fact.claims == REFUND
    assert fact.failure is not None
    assert fact.failure.code


@pytest.mark.parametrize("won", [True, False])
async def test_a_dispute_takes_money_and_may_give_it_back(
    adapter: Adapter, client: ProviderClient, *, won: bool
) -> None:
    """What went out is positive; after a dispute that was won, all of it is back."""
    object_id = await made(client, call(adapter, "create"))
    disputed = adapter.dispute(object_id)
    opened = dispute(adapter, DisputeStatus.NEEDS_RESPONSE, AMOUNT)
    assert (opened.object_id, opened.amount, opened.currency) == (object_id, AMOUNT, "EUR")
    assert opened.reason
    adapter.decide(disputed, won=won)
    status, balance = (DisputeStatus.WON, 0) if won else (DisputeStatus.LOST, AMOUNT)
    assert dispute(adapter, status, balance).dispute_id == opened.dispute_id


@pytest.mark.parametrize(("currency", "amount"), [("EUR", 55), ("JPY", 1999), ("KWD", 12_340)])
async def test_amounts_are_minor_units_whatever_the_currency(
    adapter: Adapter, client: ProviderClient, currency: str, amount: int
) -> None:
    """No decimals, two or three: what was asked for comes back, as a whole number."""
    object_id = await made(client, call(adapter, "create", currency=currency, amount=amount))
    await made(client, call(adapter, "refund", object_id, currency=currency, amount=amount))
    adapter.settle()
    amounts = [
        (fact.currency, fact.amount)
        for fact in adapter.facts()
        if isinstance(fact, PaymentFact | RefundFact)
    ]
    assert set(amounts) == {(currency, amount)}
    assert all(type(number) is int for _, number in amounts)


async def test_our_payment_id_is_found_where_it_is_carried(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Webhooks that carry it need no look-up; all others name the payment's object."""
    object_id = await made(client, call(adapter, "create"))
    await made(client, call(adapter, "refund", object_id))
    adapter.refund_elsewhere(object_id, 1)
    adapter.decide(adapter.dispute(object_id), won=False)
    adapter.settle()
    reader, reported = adapter.reader(*adapter.secrets), set[type[Fact]]()
    for delivery in adapter.receiver.deliveries:
        webhook = reader.verify(delivery.body, delivery.headers)
        fact = adapter.translator().translate(delivery.body).fact
        elsewhere = isinstance(fact, RefundFact) and fact.claims != REFUND
        if isinstance(fact, PaymentFact | RefundFact | DisputeFact):
            carried = type(fact) in adapter.carries_our_id and not elsewhere
            assert webhook.object_id == object_id
            assert webhook.payment_id == (PAYMENT if carried else None)
            reported.add(type(fact))
    assert reported == {PaymentFact, RefundFact, DisputeFact}

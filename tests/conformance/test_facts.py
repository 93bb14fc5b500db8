"""Facts use the domain's terms: integer minor units and our own IDs."""

from datetime import timedelta

import pytest

from domain.facts.cancels import cause_of
from domain.inputs import DisputeFact, Fact, PaymentFact, RefundFact
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus
from ports.provider import ProviderClient
from schemas import identity
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.calls import AMOUNT, PAYMENT, REFUND, call, make
from tests.conformance.kit.rows import over_http

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
    """Waits for the fact that a refund is in this status."""
    fact = adapter.wait_for_fact(
        lambda fact: isinstance(fact, RefundFact) and fact.status is status
    )
    assert isinstance(fact, RefundFact)
    return fact


def dispute(adapter: Adapter, status: DisputeStatus, balance: int) -> DisputeFact:
    """Waits for the fact that a dispute is in this status and has withdrawn this balance."""

    def matches(fact: Fact) -> bool:
        if not isinstance(fact, DisputeFact) or fact.status is not status:
            return False
        return sum(move.amount for move in fact.movements) == balance

    fact = adapter.wait_for_fact(matches)
    assert isinstance(fact, DisputeFact)
    return fact


async def test_a_payment_that_succeeds(adapter: Adapter, client: ProviderClient) -> None:
    """It is captured in full, and the fact names the object that the call returned."""
    object_id = await make(client, call(adapter, "create"))
    fact = payment(adapter, ProviderStatus.SUCCEEDED, captured=AMOUNT)
    assert fact.object_id == object_id
    assert fact.failure is None


async def test_a_decline_is_an_acknowledgement_and_a_fact(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The attempt failed but the payment did not: the next attempt on the same object succeeds."""
    declined = call(adapter, "create", payment_method=adapter.tokens.declined)
    object_id = await make(client, declined)
    fact = payment(adapter, ProviderStatus.ATTEMPT_FAILED)
    assert fact.object_id == object_id
    assert fact.attempt_ref is not None
    assert fact.failure is not None
    assert fact.failure.code
    assert fact.failure.message
    assert await make(client, call(adapter, "confirm", object_id)) == object_id
    paid = payment(adapter, ProviderStatus.SUCCEEDED, captured=AMOUNT)
    assert paid.occurred_at >= fact.occurred_at


async def test_two_declines_are_two_attempts(adapter: Adapter, client: ProviderClient) -> None:
    """Each attempt has its own reference, so each counts once."""
    token = adapter.tokens.declined
    object_id = await make(client, call(adapter, "create", payment_method=token))
    await make(client, call(adapter, "confirm", object_id, payment_method=token))
    adapter.settle()
    failed = [
        fact.attempt_ref
        for fact in adapter.facts()
        if isinstance(fact, PaymentFact) and fact.status is ProviderStatus.ATTEMPT_FAILED
    ]
    assert len(set(failed)) == 2


async def test_a_customer_who_has_to_act_and_passes(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The fact has the URL for the customer; after the action there is none."""
    called = call(adapter, "create", payment_method=adapter.tokens.customer)
    object_id = await make(client, called)
    fact = payment(adapter, ProviderStatus.ACTION_NEEDED)
    assert fact.action_url is not None
    assert fact.action_url.startswith("http")
    adapter.customer(object_id, passes=True)
    assert payment(adapter, ProviderStatus.SUCCEEDED, captured=AMOUNT).action_url is None


async def test_a_customer_who_has_to_act_and_fails(
    adapter: Adapter, client: ProviderClient
) -> None:
    """The fact is a failed attempt."""
    called = call(adapter, "create", payment_method=adapter.tokens.customer)
    adapter.customer(await make(client, called), passes=False)
    assert payment(adapter, ProviderStatus.ATTEMPT_FAILED).failure is not None


async def test_a_partial_capture(adapter: Adapter, client: ProviderClient) -> None:
    """The payment's amount stays the authorized one."""
    object_id = await make(client, call(adapter, "create", capture_method="manual"))
    payment(adapter, ProviderStatus.AUTHORIZED)
    assert await make(client, call(adapter, "capture", object_id)) == object_id
    payment(adapter, ProviderStatus.SUCCEEDED, captured=600)


@pytest.mark.parametrize("cause", [CancelCause.REQUESTED, CancelCause.ATTEMPTS_EXHAUSTED])
async def test_a_cancel_is_reported_with_its_cause(
    adapter: Adapter, client: ProviderClient, cause: CancelCause
) -> None:
    """The cause decides between FAILED and CANCELED."""
    object_id = await make(client, call(adapter, "create", capture_method="manual"))
    key = f"{PAYMENT}:cancel:{'exhausted' if cause is CancelCause.ATTEMPTS_EXHAUSTED else '1'}"
    await make(client, call(adapter, "cancel", object_id, cancel_cause=cause, key=key))
    assert cause_of(payment(adapter, ProviderStatus.CANCELED)) is cause


@pytest.mark.parametrize("reason", [None, "duplicate", "fraudulent", "requested_by_customer"])
async def test_a_requested_refund_is_the_one_that_the_call_returned(
    adapter: Adapter, client: ProviderClient, reason: str | None
) -> None:
    """Its fact names the payment's object, the client's reason and our refund ID."""
    object_id = await make(client, call(adapter, "create"))
    called = call(adapter, "refund", object_id, reason=reason)
    ref = await make(client, called)
    fact = refund(adapter, RefundStatus.SUCCEEDED)
    assert (fact.ref, fact.claims, fact.object_id) == (ref, REFUND, object_id)
    assert fact.refund_id == identity.provider_made_id("ref", adapter.name, ref)
    assert fact.caused_by in {None, called.key}
    assert (fact.amount, fact.currency, fact.reason) == (400, "EUR", reason)


async def test_a_refund_made_at_the_provider_has_its_own_id(
    adapter: Adapter, client: ProviderClient
) -> None:
    """It claims none of our refund IDs, and every event about it has the same ID."""
    object_id = await make(client, call(adapter, "create"))
    adapter.refund_elsewhere(object_id, 300)
    adapter.settle()
    reported = [fact for fact in adapter.facts() if isinstance(fact, RefundFact)]
    assert len({fact.refund_id for fact in reported}) == 1
    assert {(fact.object_id, fact.amount) for fact in reported} == {(object_id, 300)}
    assert reported[0].refund_id == identity.provider_made_id("ref", adapter.name, reported[0].ref)
    assert {(fact.claims, fact.caused_by) for fact in reported} == {(None, None)}


async def test_a_refund_that_fails_after_success(adapter: Adapter, client: ProviderClient) -> None:
    """The fact says that it failed, and has the reason."""
    object_id = await make(client, call(adapter, "create"))
    adapter.bounce(await make(client, call(adapter, "refund", object_id)))
    fact = refund(adapter, RefundStatus.FAILED)
    assert fact.claims == REFUND
    assert fact.failure is not None
    assert fact.failure.code


@pytest.mark.parametrize("won", [True, False])
async def test_a_dispute_takes_money_and_may_give_it_back(
    adapter: Adapter, client: ProviderClient, *, won: bool
) -> None:
    """A withdrawal is positive; after a won dispute the balance is zero."""
    object_id = await make(client, call(adapter, "create"))
    disputed = adapter.dispute(object_id)
    opened = dispute(adapter, DisputeStatus.NEEDS_RESPONSE, AMOUNT)
    assert (opened.object_id, opened.amount, opened.currency) == (object_id, AMOUNT, "EUR")
    assert opened.reason
    adapter.decide(disputed, won=won)
    status, balance = (DisputeStatus.WON, 0) if won else (DisputeStatus.LOST, AMOUNT)
    assert dispute(adapter, status, balance).dispute_id == opened.dispute_id


@pytest.mark.parametrize(("currency", "amount"), [("EUR", 55), ("JPY", 1999), ("KWD", 12_340)])
async def test_amounts_are_minor_units_in_every_currency(
    adapter: Adapter, client: ProviderClient, currency: str, amount: int
) -> None:
    """The currency has no decimals, two or three; the amounts stay the same integers."""
    object_id = await make(client, call(adapter, "create", currency=currency, amount=amount))
    await make(client, call(adapter, "refund", object_id, currency=currency, amount=amount))
    adapter.settle()
    amounts = [
        (fact.currency, fact.amount)
        for fact in adapter.facts()
        if isinstance(fact, PaymentFact) or (isinstance(fact, RefundFact) and not fact.is_total)
    ]
    assert set(amounts) == {(currency, amount)}
    assert all(type(number) is int for _, number in amounts)


async def test_our_payment_id_is_found_where_it_is_carried(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Webhooks that carry it need no routing; all others name the payment's object."""
    object_id = await make(client, call(adapter, "create"))
    await make(client, call(adapter, "refund", object_id))
    adapter.refund_elsewhere(object_id, 1)
    adapter.decide(adapter.dispute(object_id), won=False)
    adapter.settle()
    reader, reported = adapter.reader(*adapter.secrets), set[type[Fact]]()
    for delivery in adapter.receiver.deliveries:
        webhook = reader.verify(delivery.body, delivery.headers)
        fact = adapter.translator().translate(delivery.body).fact
        unrequested = isinstance(fact, RefundFact) and not fact.is_total and fact.claims != REFUND
        if isinstance(fact, PaymentFact | RefundFact | DisputeFact):
            carried = type(fact) in adapter.carries_our_id and not unrequested
            assert webhook.object_id == object_id
            assert webhook.payment_id == (PAYMENT if carried else None)
            reported.add(type(fact))
    assert reported == {PaymentFact, RefundFact, DisputeFact}

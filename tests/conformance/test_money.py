"""The same minor units are the same money at every provider, there and back."""

import pytest

from domain.inputs import PaymentFact, RefundFact
from domain.status import ProviderStatus
from ports.provider import ProviderClient, Refused
from providers.registry import money_rules
from tests.conformance.kit.adapter import Adapter
from tests.conformance.kit.calls import call, make
from tests.conformance.kit.rows import over_http

pytestmark = [pytest.mark.anyio, over_http]


@pytest.mark.parametrize(
    ("currency", "amount"),
    [
        *(("ISK", 5000), ("UGX", 9000), ("MGA", 500_000), ("JPY", 500), ("KWD", 1500)),
        *(("HUF", 17_500), ("TWD", 1050), ("IDR", 123_456_789_000), ("EUR", 1000)),
    ],
)
async def test_what_is_asked_for_comes_back(
    adapter: Adapter, client: ProviderClient, currency: str, amount: int
) -> None:
    """In a payment and in a refund of a part, by webhook and fetched."""
    assert money_rules()[adapter.name].refuses(amount, currency) is None
    paid = await make(client, call(adapter, "create", amount=amount, currency=currency))
    fetched = adapter.translator().translate((await client.retrieve(paid)).body).fact
    assert isinstance(fetched, PaymentFact)
    assert (fetched.currency, fetched.amount, fetched.captured) == (currency, amount, amount)
    part = amount // 100 * 10 or 100
    await make(client, call(adapter, "refund", paid, amount=part, currency=currency))
    fact = adapter.wait_for_fact(lambda fact: isinstance(fact, RefundFact))
    assert isinstance(fact, RefundFact)
    assert (fact.currency, fact.amount) == (currency, part)


@pytest.mark.parametrize("currency", ["XXQ", "XAU"])
async def test_no_payment_is_made_in_what_is_no_currency(
    adapter: Adapter, client: ProviderClient, currency: str
) -> None:
    """The rules refuse it, and so does the provider or the adapter."""
    refusal = money_rules()[adapter.name].refuses(1000, currency)
    assert refusal is not None
    assert refusal.field == "currency"
    outcome = await client.call(call(adapter, "create", currency=currency), "key")
    assert isinstance(outcome, Refused)


async def test_what_is_captured_beyond_the_authorization_is_reported(
    adapter: Adapter, client: ProviderClient
) -> None:
    """Others captured it; all of it can be refunded."""
    held = await make(client, call(adapter, "create", capture_method="manual"))
    adapter.capture_elsewhere(held, 1200)
    fact = adapter.wait_for_fact(
        lambda fact: isinstance(fact, PaymentFact) and fact.status is ProviderStatus.SUCCEEDED
    )
    assert isinstance(fact, PaymentFact)
    assert fact.captured == 1200
    await make(client, call(adapter, "refund", held, amount=1200))

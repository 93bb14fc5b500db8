"""The same body is the same money at every provider, in every currency, in both directions."""

from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.inputs import DisputeFact, PaymentFact, RefundFact
from domain.status import ProviderStatus
from ports.provider import MalformedObjectError, Refused
from providers.examplepay.requests import request_for as to_examplepay
from providers.examplepay.webhooks import ExamplePayTranslator
from providers.registry import money_rules
from providers.stripe.client import _impossible_amount
from providers.stripe.currencies import SUPPORTED, from_stripe, to_stripe
from providers.stripe.requests import request_for as to_stripe_request
from sandbox.stripe_simulator.objects import currencies as simulated
from tests.providers.published import stripe as published
from tests.providers.published.iso_4217 import DECIMALS
from tests.providers.stripe.builders import api_of, call, dispute, event, intent, refund, translator

unhurried = settings(deadline=None)
_RULES: Final = money_rules()
_currencies = st.sampled_from(sorted(DECIMALS))
_amounts = st.integers(1, 999_999_999_999) | st.integers(1, 99_999).map(lambda n: n * 100)


def _meant(amount: int, currency: str) -> Decimal:
    """What a client means, in major units."""
    return Decimal(amount).scaleb(-DECIMALS[currency])


def _is_whole(amount: int, currency: str) -> bool:
    return _meant(amount, currency) % published.step(currency) == 0


@pytest.mark.parametrize(
    ("currency", "iso", "stripe"),
    [
        ("ISK", 5000, 500_000),
        ("UGX", 9000, 900_000),
        ("MGA", 500_000, 5000),
        ("JPY", 500, 500),
        ("KWD", 1500, 1500),
        ("EUR", 1000, 1000),
        ("HUF", 17_500, 17_500),
        ("TWD", 1050, 1050),
        ("IDR", 99_999_999_999, 99_999_999_999),
    ],
)
def test_stripe_is_asked_for_what_the_client_means(currency: str, iso: int, stripe: int) -> None:
    """ISK, UGX and MGA are the three currencies whose amounts differ."""
    request = to_stripe_request(call("create", amount=iso, currency=currency))
    assert request.params["amount"] == stripe
    for operation, name in (("capture", "amount_to_capture"), ("refund", "amount")):
        request = to_stripe_request(call(operation, amount=iso, currency=currency))
        assert request.params[name] == stripe
    assert from_stripe(stripe, currency) == iso


@unhurried
@given(amount=_amounts, currency=_currencies)
@example(amount=5000, currency="ISK")
@example(amount=500_000, currency="MGA")
def test_the_same_body_is_the_same_money_at_every_provider(amount: int, currency: str) -> None:
    """Every accepted amount is sent in each provider's own form, and means the same."""
    meant = _meant(amount, currency)
    created = call("create", amount=amount, currency=currency)
    if _RULES["stripe"].refuses(amount, currency) is None:
        units = to_stripe_request(created).params["amount"]
        assert Decimal(units).scaleb(-published.decimals(currency)) == meant
        assert Decimal(units).scaleb(-simulated.decimals(currency.lower())) == meant
        assert units % simulated.step(currency.lower()) == 0
    assert _RULES["examplepay"].refuses(amount, currency) is None
    assert Decimal(to_examplepay(created).body["amount"]["value"]) == meant


@unhurried
@given(amount=_amounts, currency=_currencies)
def test_facts_have_the_same_money_as_the_request(amount: int, currency: str) -> None:
    """What was asked for comes back as the same minor units, from both providers."""
    if _is_whole(amount, currency):
        units = to_stripe(amount, currency)
        reported = intent(amount=units, amount_received=units, currency=currency.lower())
        _same(translator().translate(event("payment_intent.succeeded", reported)).fact, amount)
        made = refund(amount=units, currency=currency.lower())
        _same(translator().translate(event("refund.updated", made)).fact, amount)
    value = to_examplepay(call("create", amount=amount, currency=currency)).body["amount"]
    body = _examplepay_event({
        "id": "p", "state": "paid", "amount": value, "captured": value["value"],
        "changed_at": "2026-01-01T00:00:00Z",
    })  # fmt: skip
    _same(ExamplePayTranslator(None).translate(body).fact, amount)


def _examplepay_event(subject: dict[str, Any]) -> bytes:
    return msgspec.json.encode({
        "id": "n", "name": "payment/paid", "occurred_at": "2026-01-01T00:00:00Z",
        "merchant": "m", "trial": True, "subject": subject,
    })  # fmt: skip


def _same(fact: object, amount: int) -> None:
    assert isinstance(fact, PaymentFact | RefundFact)
    assert fact.amount == amount
    if isinstance(fact, PaymentFact):
        assert fact.captured == amount


@pytest.mark.parametrize("currency", sorted(DECIMALS))
def test_the_adapter_and_the_simulator_know_the_same_currencies(currency: str) -> None:
    """Each has a list of its own."""
    assert simulated.is_supported(currency.lower()) is (currency in SUPPORTED)


def _field(amount: int, currency: str, provider: str = "stripe") -> str | None:
    refusal = _RULES[provider].refuses(amount, currency)
    return refusal.field if refusal is not None else None


@pytest.mark.parametrize("currency", sorted(published.MINIMUMS))
def test_less_than_the_published_minimum_is_refused(currency: str) -> None:
    """The sentence names the least amount, in minor units and as people write it."""
    least = int(published.MINIMUMS[currency].scaleb(DECIMALS[currency]))
    assert _field(least, currency) is None
    refusal = _RULES["stripe"].refuses(least - 1, currency)
    assert refusal is not None
    assert refusal.field == "amount"
    assert str(least) in refusal.rule
    assert f"{currency}" in refusal.rule


@pytest.mark.parametrize("currency", sorted(SUPPORTED))
def test_more_digits_than_stripe_takes_are_refused(currency: str) -> None:
    """Twelve digits of Stripe's own units."""
    most = Decimal(10**published.DIGITS - 1).scaleb(-published.decimals(currency))
    amount = int((most // published.step(currency) * published.step(currency)).scaleb(
        DECIMALS[currency]))  # fmt: skip
    assert _field(amount, currency) is None
    assert _field(amount + int(published.step(currency).scaleb(DECIMALS[currency])), currency) == (
        "amount"
    )


@unhurried
@given(amount=st.integers(10_000_000, 99_999_999), currency=st.sampled_from(sorted(SUPPORTED)))
@example(amount=12_345_671, currency="KWD")
@example(amount=12_345_601, currency="MGA")
def test_a_fraction_that_stripe_does_not_have_is_refused(amount: int, currency: str) -> None:
    """The last digit of three decimals is 0, and MGA has no fractions."""
    assert (_field(amount, currency) is None) is _is_whole(amount, currency)


@pytest.mark.parametrize("provider", sorted(_RULES))
@pytest.mark.parametrize("currency", ["XXQ", "XXX", "XAU", "EUr", "BGN"])
def test_what_is_no_currency_of_iso_4217_is_refused(provider: str, currency: str) -> None:
    """So are its codes for metals and tests, which have no minor unit."""
    assert _field(1000, currency, provider) == "currency"


@pytest.mark.parametrize("currency", sorted(set(DECIMALS) - SUPPORTED))
def test_a_currency_that_stripe_does_not_charge_is_refused(currency: str) -> None:
    """ISO 4217 has more than Stripe."""
    assert _field(100_000, currency) == "currency"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("operation", "amount", "currency"),
    [
        ("create", 49, "EUR"),
        ("create", 1000, "XXQ"),
        ("capture", 1501, "KWD"),
        ("capture", 150, "MGA"),
        ("refund", 1501, "KWD"),
        ("refund", 150, "MGA"),
    ],
)
async def test_a_call_with_an_impossible_amount_is_refused_without_a_request(
    operation: str, amount: int, currency: str
) -> None:
    """Nothing listens at the address. The refusal says the rule, and is the same every time."""
    async with api_of("http://127.0.0.1:9") as api:
        outcome = await api.call(call(operation, amount=amount, currency=currency), "key")
    assert isinstance(outcome, Refused)
    assert outcome.code == "amount_impossible"
    assert outcome.message.startswith(("Send ", "Use "))


@pytest.mark.parametrize("operation", ["capture", "refund"])
def test_a_small_part_is_no_impossible_amount(operation: str) -> None:
    """A minimum is one of payments: any part of one can be captured or refunded."""
    assert _impossible_amount(call(operation, amount=1)) is None
    assert _impossible_amount(call("create", amount=1)) is not None


@pytest.mark.parametrize("currency", ["isk", "ugx"])
def test_a_fraction_that_a_currency_does_not_have_is_malformed(currency: str) -> None:
    """Stripe says that it is always 00; nothing is rounded. It is an event all the same."""
    reported = intent(amount=150, amount_received=150, currency=currency)
    with pytest.raises(MalformedObjectError, match="fraction"):
        translator().translate(event("payment_intent.succeeded", reported))


def test_an_amount_in_an_unknown_currency_is_left_as_it_is() -> None:
    """It is somebody else's: nothing of this service is in it, and its event is still readable."""
    reported = intent(amount=150, amount_received=150, currency="std")
    fact = translator().translate(event("payment_intent.succeeded", reported)).fact
    assert isinstance(fact, PaymentFact)
    assert (fact.amount, fact.captured, fact.currency) == (150, 150, "STD")
    assert fact.status is ProviderStatus.SUCCEEDED


def test_a_disputes_movements_are_converted_by_their_own_currency() -> None:
    """5000 ISK are disputed, and 33.00 USD of the balance moved; or the other way round."""
    usd = {"id": "txn_1", "amount": -3300, "currency": "usd", "reporting_category": "dispute"}
    isk = {"id": "txn_2", "amount": -500_000, "currency": "isk", "reporting_category": "dispute"}
    reported = dispute(amount=500_000, currency="isk", balance_transactions=[usd, isk])
    fact = translator().translate(event("charge.dispute.updated", reported)).fact
    assert isinstance(fact, DisputeFact)
    assert fact.amount == 5000
    assert [(m.amount, m.currency) for m in fact.movements] == [(3300, "USD"), (5000, "ISK")]

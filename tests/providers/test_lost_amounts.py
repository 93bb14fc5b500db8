"""An amount that was lost on the way is never read as an amount: not as 0, and not as all."""

import inspect
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, Final

import msgspec
import pytest

from domain.inputs import PaymentFact
from ports.provider import MalformedWebhookError, ProviderUnavailableError
from providers.examplepay import shapes as examplepay
from providers.examplepay.client import ExamplePayApi, _is_refund
from providers.examplepay.shapes import Found, FoundList
from providers.examplepay.webhooks import ExamplePayTranslator
from providers.stripe import shapes as stripe
from tests.providers.stripe.builders import api_of, call, dispute, event, intent, translator

MONEY = {"value": "10.00", "currency": "EUR"}
#: Malformed for the lack of a field, and for nothing else. A reason repeats no name that came.
LOST = "required field|lacks its|got `null`"
LOST_IN_STRIPE: list[tuple[str, str]] = [
    ("succeeded", "amount_received"),
    ("succeeded", "amount"),
    ("succeeded", "currency"),
    ("requires_capture", "amount_capturable"),
    ("requires_capture", "amount_received"),
]


#: Fields of shapes that hold money, by their names in both APIs.
_MONEY_FIELDS: Final = frozenset(
    {"amount", "amount_refunded", "captured", "currency", "value", "moves", "balance_transactions"}
)
#: Those that may be absent, where they do not count yet.
_ONLY_WHERE_THEY_COUNT: Final = frozenset({"amount_capturable", "amount_received"})


@pytest.mark.parametrize("shapes", [stripe, examplepay])
def test_no_shape_has_a_default_for_money(shapes: ModuleType) -> None:
    """A default is what a lost field would be read as."""
    checked = 0
    for _, shape in inspect.getmembers(shapes, inspect.isclass):
        if not issubclass(shape, msgspec.Struct):
            continue
        for field in msgspec.structs.fields(shape):
            if field.name in _MONEY_FIELDS:
                assert field.required, f"{shape.__name__}.{field.name} has a default"
            elif field.name in _ONLY_WHERE_THEY_COUNT:
                assert field.default is None, f"{shape.__name__}.{field.name} has a default"
            else:
                assert "amount" not in field.name, f"is {shape.__name__}.{field.name} money?"
                continue
            checked += 1
    assert checked > 5


@pytest.mark.parametrize(("status", "field"), LOST_IN_STRIPE)
@pytest.mark.parametrize("is_null", [False, True])
def test_a_payment_that_lost_the_amount_that_counts_is_malformed(
    status: str, field: str, *, is_null: bool
) -> None:
    """Nothing is captured or authorized by a field that is absent."""
    reported = intent(status)
    del reported[field]
    if is_null:
        reported[field] = None
    with pytest.raises(MalformedWebhookError, match=LOST):
        translator().translate(event("payment_intent.succeeded", reported))


def test_an_amount_that_does_not_count_yet_may_be_absent() -> None:
    """Nothing is captured of a payment that is still processed, whatever is received."""
    reported = intent("processing")
    del reported["amount_received"], reported["amount_capturable"]
    fact = translator().translate(event("payment_intent.processing", reported)).fact
    assert isinstance(fact, PaymentFact)
    assert (fact.amount, fact.captured) == (1000, 0)


@pytest.mark.parametrize(
    ("capturable", "received", "authorized"), [(1500, 0, 1500), (400, 0, 400), (300, 700, 1000)]
)
def test_what_is_authorized_is_what_can_be_captured(
    capturable: int, received: int, authorized: int
) -> None:
    """Others raise it, or authorize or capture a part: it is not the amount that was asked for."""
    reported = intent("requires_capture", amount_capturable=capturable, amount_received=received)
    fact = translator().translate(event("payment_intent.amount_capturable_updated", reported)).fact
    assert isinstance(fact, PaymentFact)
    assert (fact.amount, fact.captured) == (authorized, 0)


@pytest.mark.parametrize("field", ["balance_transactions", "amount", "currency"])
def test_a_dispute_that_lost_its_money_is_malformed(field: str) -> None:
    """Without its movements it would seem that nothing was withdrawn."""
    reported = dispute()
    del reported[field]
    with pytest.raises(MalformedWebhookError, match=LOST):
        translator().translate(event("charge.dispute.updated", reported))


def _subject(kind: str) -> dict[str, Any]:
    return {
        "payment": {"id": "p", "state": "paid", "amount": MONEY, "captured": "10.00",
                    "changed_at": "2026-01-01T00:00:00Z"},
        "refund": {"id": "r", "state": "settled", "payment": "p", "amount": MONEY},
        "chargeback": {"id": "c", "state": "opened", "payment": "p", "amount": MONEY, "moves": []},
    }[kind]  # fmt: skip


def _translated(kind: str, subject: dict[str, Any]) -> object:
    body = {"id": "n", "name": f"{kind}/x", "occurred_at": "2026-01-01T00:00:00Z", "merchant": "m",
            "trial": True, "subject": subject}  # fmt: skip
    return ExamplePayTranslator(None).translate(msgspec.json.encode(body)).fact


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        *(("payment", field) for field in ("captured", "amount")),
        ("refund", "amount"),
        *(("chargeback", field) for field in ("moves", "amount")),
    ],
)
def test_an_object_of_examplepay_that_lost_its_money_is_malformed(kind: str, field: str) -> None:
    """With the field it is a fact."""
    subject = _subject(kind)
    assert _translated(kind, subject) is not None
    del subject[field]
    with pytest.raises(MalformedWebhookError, match=LOST):
        _translated(kind, subject)


@pytest.mark.anyio
async def test_a_listed_refund_that_lost_its_amount_is_not_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If it counted as another refund, ours would be made a second time."""
    refund = call("refund")

    async def listed(path: str, **_: Any) -> Any:
        found = [{"id": "re_1", "metadata": {"refund_id": refund.refund_id}}]
        return {"data": found if path == "/v1/refunds" else [], "has_more": False}, None

    async with api_of("http://127.0.0.1:9") as api:
        monkeypatch.setattr(api._look_ups._readings, "_get", listed)
        with pytest.raises(ProviderUnavailableError, match="without an amount"):
            await api.look_up(refund, datetime(2026, 1, 1, tzinfo=UTC))


def test_a_found_refund_of_examplepay_has_a_readable_amount() -> None:
    """A lost one does not decode, and an unreadable one proves nothing."""
    assert ExamplePayApi.name == "examplepay"
    with pytest.raises(msgspec.ValidationError, match="amount"):
        msgspec.json.decode(b'{"items": [{"id": "r"}]}', type=FoundList)
    refund = call("refund")
    found = {"id": "r", "reference": refund.refund_id, "payment": refund.object_id}
    unreadable = {"value": "four", "currency": "EUR"}
    with pytest.raises(ProviderUnavailableError):
        _is_refund(msgspec.convert({**found, "amount": unreadable}, Found), refund)
    readable = {"value": "4.00", "currency": "EUR"}
    assert _is_refund(msgspec.convert({**found, "amount": readable}, Found), refund)

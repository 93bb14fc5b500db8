"""Provider calls as Stripe requests: the path and the parameters; unset fields are not sent."""

from typing import Any

import pytest
from msgspec.structs import replace

from domain.status import CancelCause
from providers.stripe.requests import Request, request_for
from tests.providers.stripe.builders import INTENT, PAYMENT, REFUND, call

BACK = "https://shop.example/back"
ROWS: dict[str, Request] = {
    "create": Request(
        "/v1/payment_intents",
        {
            "amount": 1000,
            "currency": "eur",
            "payment_method": "pm_card_visa",
            "allowed_payment_method_types": ["card"],
            "capture_method": "automatic",
            "confirm": "true",
            "return_url": BACK,
            "metadata": {"payment_id": PAYMENT},
        },
    ),
    "confirm": Request(
        f"/v1/payment_intents/{INTENT}/confirm",
        {"payment_method": "pm_card_visa", "return_url": BACK},
    ),
    "capture": Request(f"/v1/payment_intents/{INTENT}/capture", {"amount_to_capture": 600}),
    "cancel": Request(
        f"/v1/payment_intents/{INTENT}/cancel", {"cancellation_reason": "requested_by_customer"}
    ),
    "refund": Request(
        "/v1/refunds",
        {
            "payment_intent": INTENT,
            "amount": 400,
            "metadata": {"payment_id": PAYMENT, "refund_id": REFUND},
        },
    ),
}


@pytest.mark.parametrize("operation", ROWS)
def test_each_operation_is_one_request(operation: str) -> None:
    """The request has the expected path and parameters."""
    assert request_for(call(operation)) == ROWS[operation]


@pytest.mark.parametrize(
    ("operation", "change", "sent"),
    [
        ("create", {"description": "Order 1"}, {"description": "Order 1"}),
        ("create", {"capture_method": "manual"}, {"capture_method": "manual"}),
        ("create", {"currency": "JPY", "amount": 500}, {"currency": "jpy", "amount": 500}),
        ("refund", {"reason": "duplicate"}, {"reason": "duplicate"}),
        (
            "cancel",
            {"cancel_cause": CancelCause.ATTEMPTS_EXHAUSTED},
            {"cancellation_reason": "abandoned"},
        ),
    ],
)
def test_a_set_field_is_sent(operation: str, change: dict[str, Any], sent: dict[str, Any]) -> None:
    """Amounts are unchanged, the currency is in lower case, and our reasons become Stripe's."""
    request = request_for(call(operation, **change))
    assert request == Request(ROWS[operation].path, {**ROWS[operation].params, **sent})


@pytest.mark.parametrize(
    ("operation", "unset", "name"),
    [
        ("create", "return_url", "return_url"),
        ("confirm", "return_url", "return_url"),
        ("refund", "reason", "reason"),
    ],
)
def test_an_unset_field_is_not_sent(operation: str, unset: str, name: str) -> None:
    """An empty parameter would have another meaning at Stripe."""
    changes: dict[str, Any] = {unset: None}
    request = request_for(replace(call(operation), **changes))
    assert set(request.params) == set(ROWS[operation].params) - {name}


def test_a_clients_metadata_cannot_replace_our_id() -> None:
    """Webhooks are routed by our ID in the metadata, so a client's value is overwritten."""
    metadata = {"payment_id": "pay_of_somebody_else", "order": "7"}
    request = request_for(call("create", metadata=metadata))
    assert request.params["metadata"] == {"payment_id": PAYMENT, "order": "7"}
    assert metadata["payment_id"] == "pay_of_somebody_else"  # the call's own metadata is unchanged

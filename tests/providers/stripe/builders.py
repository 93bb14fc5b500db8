"""Builders of Stripe's webhooks, objects and errors, and of provider calls."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import stripe
from pydantic import SecretStr

from domain.call_key import Operation
from domain.calls import ProviderCall
from domain.status import CancelCause
from providers.stripe.client import StripeApi
from providers.stripe.webhooks import StripeTranslator, StripeWebhooks
from sandbox.stripe_simulator.webhooks.signing import signature_header
from schemas import identity
from schemas.settings import StripeSettings
from tests import accounts
from tests.simulator.harness import API_KEY

SECRET: Final = "whsec_of_the_tests"  # noqa: S105  # a test value
OLD_SECRET: Final = "whsec_being_replaced"  # noqa: S105  # a test value
TOLERANCE_S: Final = 300
PAYMENT: Final = identity.payment_id("shop", "order-1")
REFUND: Final = identity.refund_id(PAYMENT, "refund-1")
INTENT: Final = "pi_1"
CREATED: Final = 1_767_225_600  # 2026-01-01T00:00:00Z


#: For tests with a server: the `stripe` package passes its body to httpx in a deprecated way.
over_http = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def reader(*secrets: str) -> StripeWebhooks:
    """Returns a reader with these signing secrets, by default the tests' own."""
    hidden = [SecretStr(s) for s in secrets or (SECRET,)]
    return StripeWebhooks(hidden, TOLERANCE_S, lambda: datetime.now(UTC))


def translator() -> StripeTranslator:
    """Returns a translator for the tests' account."""
    return StripeTranslator(accounts.STRIPE)


@asynccontextmanager
async def api_of(
    base_url: str, key: str = API_KEY, timeout_s: float = 20.0, *, is_live: bool = False
) -> AsyncIterator[StripeApi]:
    """Yields our client of the API at this address."""
    settings = StripeSettings(stripe_api_key=SecretStr(key), stripe_timeout_s=timeout_s)
    api = StripeApi(settings, base_url, is_live=is_live)
    try:
        yield api
    finally:
        await api.close()


def signed(body: bytes, secret: str = SECRET, age_s: int = 0) -> dict[str, str]:
    """Returns the header that Stripe sends with a body. A negative age is in the future."""
    return {"stripe-signature": signature_header(body, secret, int(time.time()) - age_s)}


def event(kind: str, about: Mapping[str, Any] | None = None, **changes: Any) -> bytes:
    """Returns an event of this type about an object, as Stripe sends it."""
    whole = {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": CREATED,
        "livemode": False,
        "data": {"object": intent() if about is None else about},
        "request": {"id": "req_1", "idempotency_key": None},
    }
    return json.dumps({**whole, **changes}).encode()


def intent(status: str = "succeeded", **changes: Any) -> dict[str, Any]:
    """Returns a payment intent of 10 EUR."""
    whole = {
        "id": INTENT,
        "object": "payment_intent",
        "status": status,
        "amount": 1000,
        "amount_capturable": 1000 if status == "requires_capture" else 0,
        "amount_received": 1000 if status == "succeeded" else 0,
        "currency": "eur",
        "metadata": {"payment_id": PAYMENT},
        "last_payment_error": None,
        "next_action": None,
        "cancellation_reason": None,
    }
    return {**whole, **changes}


def refund(status: str | None = "succeeded", **changes: Any) -> dict[str, Any]:
    """Returns a refund of 4 EUR that we requested."""
    whole = {
        "id": "re_1",
        "object": "refund",
        "status": status,
        "amount": 400,
        "currency": "eur",
        "payment_intent": INTENT,
        "metadata": {"payment_id": PAYMENT, "refund_id": REFUND},
        "reason": "requested_by_customer",
    }
    return {**whole, **changes}


def dispute(status: str = "needs_response", **changes: Any) -> dict[str, Any]:
    """Returns a dispute over a whole payment."""
    whole = {
        "id": "dp_1",
        "object": "dispute",
        "status": status,
        "amount": 1000,
        "currency": "eur",
        "payment_intent": INTENT,
        "reason": "fraudulent",
        "balance_transactions": [],
    }
    return {**whole, **changes}


def movement(amount: int, currency: str = "eur", **changes: Any) -> dict[str, Any]:
    """Returns a movement of disputed money on our balance."""
    whole = {
        "id": "txn_1",
        "object": "balance_transaction",
        "amount": amount,
        "currency": currency,
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "type": "adjustment",
    }
    return {**whole, **changes}


def fraud_warning(**changes: Any) -> dict[str, Any]:
    """Returns an early fraud warning about the payment intent."""
    whole = {
        "id": "issfr_1",
        "object": "radar.early_fraud_warning",
        "actionable": True,
        "charge": "ch_1",
        "created": CREATED,
        "fraud_type": "made_with_stolen_card",
        "livemode": False,
        "payment_intent": INTENT,
    }
    return {**whole, **changes}


def call(operation: str, object_id: str | None = INTENT, **changes: Any) -> ProviderCall:
    """Returns a provider call with exactly the fields that its operation needs."""
    own: dict[str, dict[str, Any]] = {
        "create": {
            "amount": 1000,
            "currency": "EUR",
            "payment_method": "pm_card_visa",
            "capture_method": "automatic",
            "return_url": "https://shop.example/back",
        },
        "confirm": {"payment_method": "pm_card_visa", "return_url": "https://shop.example/back"},
        "capture": {"amount": 600, "currency": "EUR"},
        "cancel": {"cancel_cause": CancelCause.REQUESTED},
        "refund": {"amount": 400, "currency": "EUR", "refund_id": REFUND},
    }
    name = {"create": "create", "refund": f"refund:{REFUND}"}.get(operation, f"{operation}:1")
    whole: dict[str, Any] = {
        "key": f"{PAYMENT}:{name}",
        "operation": Operation(operation),
        "payment_id": PAYMENT,
        "provider": "stripe",
        "object_id": None if operation == "create" else object_id,
        **own[operation],
    }
    return ProviderCall(**{**whole, **changes})


class _FixedResponse(stripe.HTTPClient):
    """A transport that always returns the same response."""

    name = "fixed-response"

    def __init__(self, status: int, body: str, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._response = body, status, dict(headers)

    def request(self, *_: Any, **__: Any) -> tuple[str, int, dict[str, str]]:
        """See ``stripe.HTTPClient.request``."""
        return self._response


def stripe_error(
    status: int, error: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> stripe.StripeError:
    """Returns the exception that the `stripe` package raises for this response."""
    transport = _FixedResponse(status, json.dumps({"error": error}), headers or {})
    client = stripe.StripeClient("sk_test_x", http_client=transport, max_network_retries=0)
    try:
        client.raw_request("post", "/v1/payment_intents")
    except stripe.StripeError as raised:
        return raised
    raise AssertionError(f"HTTP {status} is no error")


def unexpected_state(status: str) -> stripe.StripeError:
    """Returns Stripe's refusal because of its payment intent's status."""
    error = {
        "type": "invalid_request_error",
        "code": "payment_intent_unexpected_state",
        "message": f"it has a status of {status}",
        "payment_intent": intent(status),
    }
    return stripe_error(400, error)

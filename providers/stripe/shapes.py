"""The parts of Stripe's published objects that are read here, and nothing else of them.

Unknown fields pass unread; a field of the wrong type is a MalformedWebhookError at the decoder.
"""

from typing import Any

import msgspec


class LastPaymentError(msgspec.Struct):
    """Why the last attempt failed. ``charge`` or the payment method names the attempt."""

    code: str | None = None
    decline_code: str | None = None
    message: str | None = None
    charge: str | None = None
    payment_method: dict[str, Any] | None = None


class PaymentIntent(msgspec.Struct):
    """Published at docs.stripe.com/api/payment_intents/object."""

    id: str
    status: str
    amount: int
    currency: str
    amount_received: int = 0
    metadata: dict[str, str] = {}
    last_payment_error: LastPaymentError | None = None
    next_action: dict[str, Any] | None = None
    cancellation_reason: str | None = None


class Refund(msgspec.Struct):
    """Published at docs.stripe.com/api/refunds/object."""

    id: str
    status: str | None
    amount: int
    currency: str
    payment_intent: str | None = None
    metadata: dict[str, str] | None = None
    reason: str | None = None
    failure_reason: str | None = None


class BalanceTransaction(msgspec.Struct):
    """Money that a dispute moved; negative took it from us."""

    id: str
    amount: int


class Dispute(msgspec.Struct):
    """Published at docs.stripe.com/api/disputes/object."""

    id: str
    status: str
    amount: int
    currency: str
    payment_intent: str | None = None
    reason: str | None = None
    balance_transactions: list[BalanceTransaction] = []


class EventRequest(msgspec.Struct):
    """The API call that caused an event, if one did."""

    id: str | None = None
    idempotency_key: str | None = None


class EventData(msgspec.Struct):
    """The object as it was then, undecoded until its type is known."""

    object: msgspec.Raw


class Event(msgspec.Struct):
    """Published at docs.stripe.com/api/events/object."""

    id: str
    type: str
    created: int
    data: EventData
    request: EventRequest | None = None


class RoutingObject(msgspec.Struct):
    """What routing reads of any object: its kind, its ID, its metadata, its payment intent."""

    object: str = ""
    id: str = ""
    payment_intent: str | None = None
    metadata: dict[str, Any] | None = None

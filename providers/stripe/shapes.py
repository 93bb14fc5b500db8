"""The fields of Stripe's objects that we read.

Unknown fields are ignored. A field of the wrong type or out of bounds is an error of the decoder.
"""

from typing import Annotated, Any, Final

import msgspec

#: IDs and types. They become record keys, headers and columns, which accept no other characters.
NAME_PATTERN: Final = r"\A[!-~]{1,255}\Z"
Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
#: Unix seconds up to the end of the year 9999.
Timestamp = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
#: Minor units: far above any amount of Stripe, far below a bigint.
Amount = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
Movement = Annotated[int, msgspec.Meta(ge=-(10**15), le=10**15)]


class LastPaymentError(msgspec.Struct):
    """Why the last attempt failed. ``charge`` or the payment method names the attempt."""

    code: str | None = None
    decline_code: str | None = None
    message: str | None = None
    charge: str | None = None
    payment_method: dict[str, Any] | None = None


class PaymentIntent(msgspec.Struct):
    """Published at docs.stripe.com/api/payment_intents/object."""

    id: Name
    status: str
    amount: Amount
    currency: str
    amount_received: Amount = 0
    last_payment_error: LastPaymentError | None = None
    next_action: dict[str, Any] | None = None
    cancellation_reason: str | None = None


class Refund(msgspec.Struct):
    """Published at docs.stripe.com/api/refunds/object."""

    id: Name
    status: str | None
    amount: Amount
    currency: str
    payment_intent: Name | None = None
    metadata: dict[str, str] | None = None
    reason: str | None = None
    failure_reason: str | None = None


class BalanceTransaction(msgspec.Struct):
    """A movement of disputed money. A negative amount was withdrawn from us."""

    id: Name
    amount: Movement


class Dispute(msgspec.Struct):
    """Published at docs.stripe.com/api/disputes/object."""

    id: Name
    status: str
    amount: Amount
    currency: str
    payment_intent: Name | None = None
    reason: str | None = None
    balance_transactions: list[BalanceTransaction] = []


class EventRequest(msgspec.Struct):
    """The API call that caused an event, if one did."""

    id: str | None = None
    idempotency_key: str | None = None


class EventData(msgspec.Struct):
    """The object at the time of the event, undecoded until its type is known."""

    object: msgspec.Raw


class Event(msgspec.Struct):
    """Published at docs.stripe.com/api/events/object."""

    id: Name
    type: Name
    created: Timestamp
    livemode: bool
    data: EventData
    #: The connected account of the event; None for the account itself.
    account: str | None = None
    request: EventRequest | None = None


class RoutingObject(msgspec.Struct):
    """What routing reads of any object. The fields are of any type, so that none is refused."""

    id: Any = None
    payment_intent: Any = None
    metadata: Any = None

"""The fields of Stripe's objects that we read.

Unknown fields are ignored. A field of the wrong type or out of bounds is an error of the decoder.
"""

from typing import Annotated, Any, Final

import msgspec

#: IDs and types. They become record keys, headers and columns, which accept no other characters.
NAME_PATTERN: Final = r"\A[!-~]{1,255}\Z"
Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]
#: IDs of events. None has the form of an ID of ours: anybody who can sign could use ours up.
EventName = Annotated[str, msgspec.Meta(pattern=r"\A(?!cmd_|res_|rel_)[!-?A-~]{1,255}\Z")]
#: Unix seconds up to the end of the year 9999.
Timestamp = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
#: Minor units: far above any amount of Stripe, far below a bigint.
Amount = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
#: ISO 4217, in lower case.
Currency = Annotated[str, msgspec.Meta(pattern=r"\A[a-z]{3}\Z")]
#: A word of Stripe's, published as it is.
FraudType = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9_]{1,100}\Z")]
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
    #: What can still be captured, and what was. ``translate`` requires them where they count.
    amount_capturable: Amount | None = None
    amount_received: Amount | None = None
    last_payment_error: LastPaymentError | None = None
    next_action: dict[str, Any] | None = None
    #: The same before 2019-02-11.
    next_source_action: dict[str, Any] | None = None


class Refund(msgspec.Struct):
    """Published at docs.stripe.com/api/refunds/object."""

    id: Name
    status: str | None
    amount: Amount
    currency: str
    payment_intent: Name | None = None
    #: Anybody writes it, and a client secret in it becomes null: so of any type.
    metadata: Any = None
    reason: str | None = None
    failure_reason: str | None = None
    #: Unix seconds.
    created: Timestamp | None = None


class RefundList(msgspec.Struct):
    """The latest refunds of a charge, in events of versions before 2022-11-15."""

    data: list[Refund]


class Charge(msgspec.Struct):
    """Published at docs.stripe.com/api/charges/object."""

    id: Name
    amount_refunded: Amount
    currency: str
    payment_intent: Name | None = None
    refunds: RefundList | None = None


class BalanceTransaction(msgspec.Struct):
    """Disputed money that moved on our balance, in the balance's currency. Negative: it fell.

    Published at docs.stripe.com/api/balance_transactions/object.
    """

    id: Name
    amount: Movement
    currency: Currency
    reporting_category: str


class EvidenceDetails(msgspec.Struct):
    """Until when Stripe takes evidence; None or 0 if the bank allows no response."""

    due_by: Timestamp | None = None


class Dispute(msgspec.Struct):
    """Published at docs.stripe.com/api/disputes/object."""

    id: Name
    status: str
    amount: Amount
    currency: Currency
    balance_transactions: list[BalanceTransaction]
    payment_intent: Name | None = None
    reason: str | None = None
    evidence_details: EvidenceDetails | None = None


class EarlyFraudWarning(msgspec.Struct):
    """Published at docs.stripe.com/api/radar/early_fraud_warnings/object."""

    id: Name
    actionable: bool
    fraud_type: FraudType
    payment_intent: Name | None = None


class EventRequest(msgspec.Struct):
    """The API call that caused an event, if one did."""

    id: str | None = None
    idempotency_key: str | None = None


class EventData(msgspec.Struct):
    """The object at the time of the event, undecoded until its type is known."""

    object: msgspec.Raw


class Event(msgspec.Struct):
    """Published at docs.stripe.com/api/events/object."""

    id: EventName
    type: Name
    created: Timestamp
    livemode: bool
    data: EventData
    #: The connected account of the event; None for the account itself.
    account: str | None = None
    #: The same before 2017-05-25.
    user_id: str | None = None
    #: Before 2017-05-25 only the request's ID, which names no key.
    request: EventRequest | str | None = None
    api_version: str | None = None

    @property
    def key(self) -> str | None:
        """The idempotency key of the call that caused the event, if it names one."""
        return self.request.idempotency_key if isinstance(self.request, EventRequest) else None

    @property
    def names_request(self) -> bool:
        """Whether it says which key caused it; then no key means that no call with one did."""
        return isinstance(self.request, EventRequest)

    @property
    def is_automatic(self) -> bool:
        """Whether it says that no request caused it: Stripe did it by itself."""
        return isinstance(self.request, EventRequest) and self.request == EventRequest()


class RoutingObject(msgspec.Struct):
    """What routing reads of any object. The fields are of any type, so that none is refused."""

    id: Any = None
    payment_intent: Any = None
    metadata: Any = None

"""Values of ``payment-commands``: commands of clients and of the expiry sweep.

An operator's release is on this topic too, so that it is processed in the payment's order.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from schemas.model import (
    CAPTURE_METHOD,
    DESCRIPTION,
    MAX_ATTEMPTS_ASKED,
    METADATA,
    ORDER_REFERENCE,
    Amount,
    AmountOrAll,
    CaptureMethod,
    Currency,
    Metadata,
    Model,
    OrderReference,
    PaymentId,
    ShortText,
    UtcTime,
)


def _is_none(value: object) -> bool:
    return value is None


class CommandBase(Model):
    """The fields of every command."""

    event_id: ShortText
    payment_id: PaymentId
    tenant: ShortText
    #: One per payment, operation and Idempotency-Key. A retry has the same.
    operation_id: ShortText
    #: Digest of the request body. The same operation with another body is rejected.
    fingerprint: ShortText
    received_at: UtcTime


class _OnPayment(CommandBase):
    """The fields of every command on a payment that exists."""

    #: It is rejected unless the payment is at this version when it is decided. Left out where there
    #: is none: a stream of an earlier release takes no field that it does not know.
    expected_version: Annotated[
        Annotated[int, Field(strict=True, ge=0)] | None, Field(exclude_if=_is_none)
    ] = None


class PaymentTerms(Model):
    """The terms a client gives when it creates a payment.

    The request, the command and the answer inherit them, so a new term is one line here.
    """

    amount: Annotated[
        Amount, Field(description="Minor units by ISO 4217: 1999 is 19.99 EUR, or 1999 JPY.")
    ]
    currency: Annotated[Currency, Field(description="ISO 4217, such as EUR.")]
    payment_method: Annotated[
        ShortText,
        Field(description="The provider's token of a payment method."),
    ]
    capture_method: Annotated[CaptureMethod, CAPTURE_METHOD] = "automatic"
    max_attempts: Annotated[int, Field(strict=True, ge=1, le=10), MAX_ATTEMPTS_ASKED] = 1
    return_url: Annotated[
        ShortText | None,
        Field(description="Where the customer returns to; null if it was left out."),
    ] = None
    description: Annotated[ShortText | None, DESCRIPTION] = None
    order_reference: Annotated[OrderReference | None, ORDER_REFERENCE] = None
    metadata: Annotated[Metadata, METADATA] = Field(default_factory=dict)


class CreatePayment(PaymentTerms, CommandBase):
    """Create a payment on these terms, and start its first attempt."""

    type: Literal["create"] = "create"
    #: Required: a record that lost it must not capture at once.
    capture_method: Annotated[CaptureMethod, CAPTURE_METHOD]
    #: Left out where there is none, as ``expected_version``.
    order_reference: Annotated[
        OrderReference | None, ORDER_REFERENCE, Field(exclude_if=_is_none)
    ] = None
    provider: ShortText
    #: The service asks the provider to cancel a payment that is then still waiting for its
    #: customer.
    expires_at: UtcTime


class ConfirmPayment(_OnPayment):
    """Start the next attempt with another payment method."""

    type: Literal["confirm"] = "confirm"
    payment_method: ShortText


class CapturePayment(_OnPayment):
    """Capture an amount of an authorized payment, or all that is authorized."""

    type: Literal["capture"] = "capture"
    amount: AmountOrAll


class CancelPayment(_OnPayment):
    """Ask the provider to cancel."""

    type: Literal["cancel"] = "cancel"
    cause: Literal["requested", "expired"] = "requested"

    @property
    def expired(self) -> bool:
        """Whether the payment expired, instead of its client asking for the cancel."""
        return self.cause == "expired"


class RefundPayment(_OnPayment):
    """Refund an amount, or all that is left."""

    type: Literal["refund"] = "refund"
    refund_id: ShortText
    amount: AmountOrAll
    reason: ShortText | None = None


Command = Annotated[
    CreatePayment | ConfirmPayment | CapturePayment | CancelPayment | RefundPayment,
    Field(discriminator="type"),
]


class ReleasePayment(Model):
    """An operator ends this quarantine, and what waited is processed. No client can send it."""

    type: Literal["release"] = "release"
    #: One per quarantine, however often its release is asked for.
    event_id: ShortText
    payment_id: PaymentId
    #: The quarantine that is meant: the event our code failed on, and since when.
    quarantined_event_id: ShortText
    quarantined_at: UtcTime
    received_at: UtcTime


#: Every value of the topic.
Value = Annotated[Command | ReleasePayment, Field(discriminator="type")]
VALUE: Final[TypeAdapter[Value]] = TypeAdapter(Value)

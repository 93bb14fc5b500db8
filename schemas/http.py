"""Bodies of the HTTP API."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, HttpUrl, PlainSerializer

from processor.domain.status import Outcome, Status
from schemas.model import Amount, Currency, Metadata, Model, ShortText, UtcTime
from schemas.state import PaymentState

_ReturnUrl = Annotated[HttpUrl, PlainSerializer(str)]
_AnyCaseCurrency = Annotated[
    Currency, BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)
]


class CreateRequest(Model):
    """``POST /v1/payments``."""

    amount: Annotated[Amount, Field(description="Minor units: 1999 is 19.99 EUR.")]
    currency: Annotated[_AnyCaseCurrency, Field(description="ISO 4217.")]
    payment_method: Annotated[ShortText, Field(description="The provider's payment method token.")]
    provider: Annotated[
        ShortText | None,
        Field(description="One of the providers there are; without it, the usual one."),
    ] = None
    capture_method: Literal["automatic", "manual"] = "automatic"
    max_attempts: Annotated[int, Field(strict=True, ge=1, le=10)] = 1
    return_url: _ReturnUrl | None = None
    description: ShortText | None = None
    metadata: Metadata = Field(default_factory=dict)


class ConfirmRequest(Model):
    """``POST /v1/payments/{id}/confirm``."""

    payment_method: ShortText


class CaptureRequest(Model):
    """``POST /v1/payments/{id}/capture``; without an amount, all of it."""

    amount: Amount | None = None


class CancelRequest(Model):
    """``POST /v1/payments/{id}/cancel``."""


class RefundRequest(Model):
    """``POST /v1/payments/{id}/refunds``; without an amount, all that is left."""

    amount: Amount | None = None
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None


class AcceptedPayment(Model):
    """The answer to a create: what was accepted. What becomes of it is at ``Location``."""

    id: str
    status: Literal["CREATED"] = "CREATED"
    amount: int
    currency: str
    payment_method: str
    capture_method: str
    max_attempts: int
    return_url: str | None
    description: str | None
    metadata: dict[str, str]
    expires_at: UtcTime
    event_id: str


class AcceptedOperation(Model):
    """The answer to confirm, capture, cancel and refunds: what was accepted for which payment."""

    payment_id: str
    operation: Literal["confirm", "capture", "cancel", "refund"]
    operation_id: str
    event_id: str
    refund_id: str | None = None


class PaymentPage(Model):
    """One page of a tenant's payments, newest first."""

    data: tuple[PaymentState, ...]
    next_cursor: str | None


class TransitionEntry(Model):
    """A change of status."""

    source: Status | None
    target: Status


class TimelineEntry(Model):
    """One record of the log about this payment, and what became of it."""

    event_id: str
    kind: str
    outcome: Outcome
    reason: str
    transition: TransitionEntry | None
    version: int | None
    topic: str
    partition: int
    offset: int
    received_at: UtcTime
    recorded_at: UtcTime


class CallEntry(Model):
    """One call to the provider: how often it was tried, and what came of it."""

    operation: str
    key: str
    state: Literal["due", "done"]
    attempts: int
    outcome: str | None
    last_error: str | None
    next_attempt_at: UtcTime | None
    created_at: UtcTime
    done_at: UtcTime | None


class Timeline(Model):
    """Everything that was ever said about one payment, oldest first."""

    payment_id: str
    status: Status
    version: int
    held: str | None
    entries: tuple[TimelineEntry, ...]
    calls: tuple[CallEntry, ...]


class FieldProblem(Model):
    """One field of a request that is wrong, and how to mend it."""

    field: str
    problem: str


class Problem(Model):
    """``application/problem+json`` (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] = ()

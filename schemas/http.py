"""Request and response bodies of the HTTP API."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    PlainSerializer,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from domain.status import Outcome, Status
from schemas.commands import PaymentTerms
from schemas.model import Amount, Currency, Model, ShortText, UtcTime
from schemas.state import PaymentState

_ReturnUrl = Annotated[HttpUrl, PlainSerializer(str)]


def _upper(value: Any) -> Any:
    """Returns an ASCII text in upper case. Other characters may have an ASCII one as theirs."""
    return value.upper() if isinstance(value, str) and value.isascii() else value


_AnyCaseCurrency = Annotated[Currency, BeforeValidator(_upper)]


class CreateRequest(PaymentTerms):
    """The body of ``POST /v1/payments``: the terms, some of them checked more closely."""

    currency: Annotated[_AnyCaseCurrency, Field(description="ISO 4217, in upper or lower case.")]
    return_url: _ReturnUrl | None = None  # type: ignore[assignment]  # dumped as the text it was
    provider: Annotated[
        ShortText | None,
        Field(description="The provider's name. Left out: PAYMENTS_DEFAULT_PROVIDER."),
    ] = None


class ConfirmRequest(Model):
    """The body of ``POST /v1/payments/{id}/confirm``."""

    payment_method: ShortText


def _given(amount: Any) -> Any:
    """Refuses null: a client that lost its amount must not move everything."""
    if amount is None:
        raise PydanticCustomError(
            "amount_null",
            "Send minor units, or leave the field out for all that is left",
        )
    return amount


#: Minor units, or all that is left if the field is left out. Null is refused.
_PartAmount = Annotated[
    Amount | None,
    BeforeValidator(_given),
    WithJsonSchema(TypeAdapter(Amount).json_schema()),
    Field(
        description="Minor units: 500 is 5.00 EUR. Left out: all that is left. Not null.",
        json_schema_extra=lambda schema: schema.pop("default", None),
    ),
]


class CaptureRequest(Model):
    """The body of ``POST /v1/payments/{id}/capture``. ``{}`` captures everything."""

    amount: _PartAmount = None


class CancelRequest(Model):
    """The body of ``POST /v1/payments/{id}/cancel``: ``{}``."""


class RefundRequest(Model):
    """The body of ``POST /v1/payments/{id}/refunds``. ``{}`` refunds all that is left."""

    amount: _PartAmount = None
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None


class AcceptedPayment(PaymentTerms):
    """The answer to a create: the accepted terms. Read ``Location`` for the payment's progress."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str
    status: Literal["CREATED"] = "CREATED"
    expires_at: UtcTime
    event_id: str


class AcceptedOperation(Model):
    """The answer to a confirm, capture, cancel or refund.

    For a capture and a refund ``amount_is`` is ``given``, with the ``amount`` of the request, or
    ``all_that_is_left``, which is computed when the command is processed.
    """

    payment_id: str
    operation: Literal["confirm", "capture", "cancel", "refund"]
    operation_id: str
    event_id: str
    refund_id: str | None
    amount: Annotated[int | None, Field(description="Minor units, as in the request.")]
    amount_is: Annotated[
        Literal["given", "all_that_is_left"] | None,
        Field(description="How the amount is determined; null if the operation has none."),
    ]


class Payment(PaymentState):
    """A payment, as the API returns it."""

    quarantined: Annotated[
        bool,
        Field(
            description="An event could not be processed. This is the payment as of before; what "
            "came since waits for an operator."
        ),
    ]


class PaymentPage(Model):
    """One page of a tenant's payments, newest first."""

    data: tuple[Payment, ...]
    next_cursor: str | None


class TransitionEntry(Model):
    """A change of status."""

    source: Status | None
    target: Status


class TimelineEntry(Model):
    """One input about the payment, and its outcome."""

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
    """One provider call: its attempts and its outcome."""

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
    """One page of a payment's inputs and provider calls, oldest first."""

    payment_id: str
    status: Status
    version: int
    quarantined: bool
    quarantine: str | None
    entries: tuple[TimelineEntry, ...]
    calls: tuple[CallEntry, ...]
    next_cursor: str | None


class FieldProblem(Model):
    """One wrong field of a request, and how to fix it."""

    field: str
    problem: str


class Problem(Model):
    """``application/problem+json`` (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldProblem, ...] = ()

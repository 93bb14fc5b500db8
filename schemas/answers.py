"""Answers to commands: what was accepted, and what was decided if the client waited for it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from domain.status import Status
from schemas.commands import PaymentTerms
from schemas.http import Payment
from schemas.model import AmountOrAll, Model, UtcTime
from schemas.operations import Operation


class AcceptedPayment(PaymentTerms):
    """The answer to a create: the accepted terms. Read ``Location`` for the payment's progress."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: Annotated[str, Field(description="The payment's ID, for every later request about it.")]
    status: Annotated[Literal["CREATED"], Field(description="Nothing is decided yet.")] = "CREATED"
    expires_at: Annotated[
        UtcTime,
        Field(
            description="When the provider is asked to cancel, if the payment still waits for "
            "its customer."
        ),
    ]
    event_id: Annotated[
        str,
        Field(description="The command's event ID: the timeline says under it what was decided."),
    ]
    operation: Annotated[Operation, Field(description="The create, as an operation of its own.")]


class DecidedPayment(AcceptedPayment):
    """The answer to a create whose client preferred to wait: the terms, and the decision."""

    status: Annotated[  # type: ignore[assignment]  # of the payment as it is by now
        Status | None, Field(description="The payment's status; null if there is no payment.")
    ]
    payment: Annotated[
        Payment | None,
        Field(description="The payment by now; null if there is none, as after a rejection."),
    ]


class AcceptedOperation(Model):
    """The answer to a confirm, capture, cancel or refund. Read ``Location`` for its decision."""

    payment_id: Annotated[str, Field(description="The payment's ID.")]
    type: Annotated[
        Literal["confirm", "capture", "cancel", "refund"], Field(description="What was asked for.")
    ]
    operation: Annotated[Operation, Field(description="The operation, and how far it is.")]
    event_id: Annotated[
        str,
        Field(description="The command's event ID: the timeline says under it what was decided."),
    ]
    refund_id: Annotated[
        str | None,
        Field(
            description="The refund's ID in the payment's refunds; null unless a refund was "
            "asked for."
        ),
    ]
    amount: Annotated[
        AmountOrAll | None,
        Field(
            description="As in the request; null if the operation has none. What is left is "
            "computed when the command is processed."
        ),
    ]
    payment_method: Annotated[
        str | None,
        Field(description="As in the request; null unless a confirm was asked for."),
    ]
    reason: Annotated[
        str | None,
        Field(description="As in the request; null unless a refund has one."),
    ]

"""Values of ``payment-operations`` and ``GET /v1/operations/{id}``: one state of an operation.

An operation is what one request of a client asks for. A consumer deduplicates by ``id`` and
``status``: each operation has each status at most once.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from domain.status import OperationStatus
from schemas.identity import OPERATION_ID_PATTERN
from schemas.model import Model, PaymentId, ShortText, UtcTime

OperationId = Annotated[str, StringConstraints(pattern=OPERATION_ID_PATTERN)]
OperationType = Literal["create", "confirm", "capture", "cancel", "refund"]


class Operation(Model):
    """What a client asked for, and what became of it."""

    id: Annotated[
        OperationId,
        Field(
            description="The operation's ID. A retry with the same Idempotency-Key and the same "
            "body has the same."
        ),
    ]
    payment_id: Annotated[PaymentId, Field(description="The payment that it is about.")]
    tenant: Annotated[
        ShortText, Field(description="Who asked for it: the client that the API key belongs to.")
    ]
    type: Annotated[
        OperationType,
        Field(
            description="What was asked for. Later releases may add values.",
            json_schema_extra={"x-open": True},
        ),
    ]
    status: Annotated[
        OperationStatus,
        Field(
            description="`accepted`: it waits for its decision. `applied`: the payment allows it, "
            "and the provider is asked. `rejected`: the payment does not allow it. `done`: the "
            "provider has it. `refused`: the provider refused it. The last three are final."
        ),
    ]
    code: Annotated[
        str | None,
        Field(
            description="Why it was rejected or refused, for programs: one of the codes that are "
            "listed for rejections, or the provider's own, such as card_declined. Else null."
        ),
    ]
    reason: Annotated[
        str | None, Field(description="The same for people; null while nothing is decided.")
    ]
    version: Annotated[
        Annotated[int, Field(ge=1)] | None,
        Field(
            description="The payment's version after this change of the operation; null while "
            "nothing is decided, or if there is no such payment."
        ),
    ]
    refund_id: Annotated[
        str | None,
        Field(
            description="The refund's ID in the payment's refunds; null unless a refund was "
            "asked for."
        ),
    ]
    received_at: Annotated[UtcTime, Field(description="When its first request came, in UTC.")]
    updated_at: Annotated[UtcTime, Field(description="When it got this status, in UTC.")]

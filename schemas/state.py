"""Values of ``payment-state`` and ``GET /v1/payments/{id}``: one version of a payment.

A consumer keeps a record only if its ``version`` is higher than the version that it has.
"""

from typing import Annotated, Literal

from pydantic import Field

from domain.status import DisputeStatus, RefundStatus, Status
from schemas.model import Amount, Currency, Metadata, Model, PaymentId, ShortText, UtcTime

MinorUnits = Annotated[int, Field(strict=True, ge=0)]


class Failure(Model):
    """Why an attempt, a refund or a call failed: the provider's code and a message for people."""

    code: str
    message: str


class NextAction(Model):
    """What the customer or the client has to do next."""

    type: Literal["redirect", "new_payment_method"]
    url: str | None = None


class Amounts(Model):
    """Minor units, computed from all known facts: 0 <= refunded <= captured <= authorized."""

    authorized: MinorUnits
    captured: MinorUnits
    refunded: MinorUnits


class RefundState(Model):
    """One refund. ``reversed``: it failed after it had succeeded."""

    id: ShortText
    status: RefundStatus
    amount: Amount
    reason: str | None
    failure: Failure | None
    reversed: bool


class DisputeState(Model):
    """One dispute. A withdrawal of funds is not yet a loss: ``status`` has the outcome."""

    id: ShortText
    status: DisputeStatus
    amount: MinorUnits
    reason: str | None
    funds_withdrawn: MinorUnits
    funds_reinstated: MinorUnits


class PaymentState(Model):
    """One version of a payment. Versions are numbered 1, 2, 3 without gaps."""

    id: PaymentId
    tenant: ShortText
    version: Annotated[int, Field(ge=1)]
    status: Status
    amount: Amount
    currency: Currency
    capture_method: Literal["automatic", "manual"]
    amounts: Amounts
    attempts: Annotated[int, Field(ge=1)]
    max_attempts: Annotated[int, Field(ge=1)]
    next_action: NextAction | None
    failure: Failure | None
    cancel_requested: bool
    provider: ShortText
    provider_object_id: str | None
    description: str | None
    metadata: Metadata
    refunds: tuple[RefundState, ...]
    disputes: tuple[DisputeState, ...]
    expires_at: UtcTime
    created_at: UtcTime
    updated_at: UtcTime

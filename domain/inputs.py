"""The inputs of ``decide``: a client's command, a provider's fact, or a call's result. Frozen.

Amounts are integer minor units of the payment's currency; times are aware UTC.
"""

from datetime import datetime

from msgspec import Struct

from domain.call_key import Operation
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus
from domain.terms import PaymentTerms


class Failure(Struct, frozen=True, omit_defaults=True):
    """Why something failed: the provider's code, and a sentence a person can read."""

    code: str
    message: str


class Create(PaymentTerms, frozen=True):
    """Create a payment on these terms, and start its first attempt."""

    tenant: str
    operation_id: str
    fingerprint: str
    payment_method: str


class Confirm(Struct, frozen=True):
    """Start the next attempt with another payment method."""

    tenant: str
    operation_id: str
    fingerprint: str
    payment_method: str


class Capture(Struct, frozen=True):
    """Capture an authorized payment: this amount, or all of it where ``amount`` is None."""

    tenant: str
    operation_id: str
    fingerprint: str
    amount: int | None


class Cancel(Struct, frozen=True):
    """Cancel the payment at the provider: for the client, or because the payment expired."""

    tenant: str
    operation_id: str
    fingerprint: str
    expired: bool


class Refund(Struct, frozen=True, kw_only=True):
    """Refund this amount, or all that is left where ``amount`` is None."""

    tenant: str
    operation_id: str
    fingerprint: str
    refund_id: str
    amount: int | None
    reason: str | None


Command = Create | Confirm | Capture | Cancel | Refund


class PaymentFact(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The provider's payment object as it was at ``occurred_at``."""

    event_id: str
    occurred_at: datetime
    object_id: str
    status: ProviderStatus
    amount: int
    currency: str
    captured: int
    #: The provider's name for the failed attempt. Every report of one failure has the same.
    attempt_ref: str | None = None
    #: Idempotency key of the call that caused this, where the provider names it.
    caused_by: str | None = None
    failure: Failure | None = None
    action_url: str | None = None
    cancel_cause: CancelCause | None = None


class RefundFact(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A refund at the provider as it was at ``occurred_at``."""

    event_id: str
    occurred_at: datetime
    #: The provider's payment object this refund belongs to.
    object_id: str
    #: The provider's own refund object.
    ref: str
    #: Derived from the provider's refund object, requested by a client or not.
    refund_id: str
    status: RefundStatus
    amount: int
    currency: str
    reason: str | None = None
    failure: Failure | None = None
    #: Our refund ID in its metadata. Anybody with write access there can set it.
    claims: str | None = None
    #: Idempotency key of the call that caused this, where the provider names it.
    caused_by: str | None = None


class Movement(Struct, frozen=True, omit_defaults=True):
    """Disputed money that moved: withdrawn (positive) or reinstated (negative)."""

    ref: str
    amount: int


class DisputeFact(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A dispute at the provider as it was at ``occurred_at``."""

    event_id: str
    occurred_at: datetime
    object_id: str
    dispute_id: str
    status: DisputeStatus
    amount: int
    currency: str
    reason: str | None = None
    movements: tuple[Movement, ...] = ()


class Unmodelled(Struct, frozen=True):
    """An event of a kind without effect on a payment, or with an unknown status."""

    event_id: str
    kind: str
    why: str
    #: The kind has an effect, but its status is unknown, so the payment is left unchanged.
    unknown_status: bool = False


class Foreign(Struct, frozen=True):
    """An event of another account than ours, or of the other mode (test or live)."""

    event_id: str
    kind: str
    why: str


Fact = PaymentFact | RefundFact | DisputeFact | Unmodelled | Foreign


class CallResult(Struct, frozen=True):
    """The result of a provider call: the object's ID, or a definitive refusal.

    The object of a refund call is the provider's refund, of any other call its payment object.
    """

    call_key: str
    operation: Operation
    object_id: str | None
    refusal: Failure | None


class Release(Struct, frozen=True):
    """An operator ends the payment's quarantine. Without a quarantine it has no effect."""


class Input(Struct, frozen=True):
    """One record of the log, decoded: its event ID, the time we received it, and its content."""

    event_id: str
    received_at: datetime
    body: Command | Fact | CallResult | Release

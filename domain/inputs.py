"""What ``decide`` is given: a client's command, a provider's fact, or a call's result. Frozen.

Amounts are integer minor units of the payment's currency; times are aware UTC.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from domain.call_key import Operation
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus


class Failure(Struct, frozen=True):
    """Why something failed: the provider's code, and a sentence a person can read."""

    code: str
    message: str


class Create(Struct, frozen=True):
    """Take this amount with this payment method."""

    tenant: str
    operation_id: str
    fingerprint: str
    provider: str
    amount: int
    currency: str
    payment_method: str
    capture_method: str
    max_attempts: int
    return_url: str | None
    description: str | None
    metadata: Mapping[str, str]
    expires_at: datetime


class Confirm(Struct, frozen=True):
    """Start the next attempt with another payment method."""

    tenant: str
    operation_id: str
    fingerprint: str
    payment_method: str


class Capture(Struct, frozen=True):
    """Capture an authorized payment: this much, or all of it."""

    tenant: str
    operation_id: str
    fingerprint: str
    amount: int | None


class Cancel(Struct, frozen=True):
    """Ask the provider to cancel, for the client or because nobody acted in time."""

    tenant: str
    operation_id: str
    fingerprint: str
    expired: bool


class Refund(Struct, frozen=True):
    """Give back this much, or all that is left."""

    tenant: str
    operation_id: str
    fingerprint: str
    refund_id: str
    amount: int | None
    reason: str | None


Command = Create | Confirm | Capture | Cancel | Refund


class PaymentFact(Struct, frozen=True):
    """The provider's payment object as it was at ``occurred_at``."""

    event_id: str
    occurred_at: datetime
    object_id: str
    status: ProviderStatus
    amount: int
    currency: str
    captured: int = 0
    #: The provider's name for the attempt that failed; the same failure told twice has one.
    attempt_ref: str | None = None
    #: Idempotency key of our call that brought this about, where the provider echoes it.
    caused_by: str | None = None
    failure: Failure | None = None
    action_url: str | None = None
    cancel_cause: CancelCause | None = None


class RefundFact(Struct, frozen=True):
    """A refund at the provider as it was at ``occurred_at``."""

    event_id: str
    occurred_at: datetime
    #: The provider's payment object this refund belongs to.
    object_id: str
    #: The provider's own refund object.
    ref: str
    #: Derived from the provider's refund object, whoever asked for it.
    refund_id: str
    status: RefundStatus
    amount: int
    currency: str
    reason: str | None = None
    failure: Failure | None = None
    #: The refund of ours that it says it is, in a field that anybody with access may write there.
    claims: str | None = None
    #: Idempotency key of our call that brought this about, where the provider echoes it.
    caused_by: str | None = None


class Movement(Struct, frozen=True):
    """Disputed money that moved: out (withdrawn, positive) or back (reinstated, negative)."""

    ref: str
    amount: int


class DisputeFact(Struct, frozen=True):
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
    """An event of a kind that has no effect on a payment, or says a status nobody knows."""

    event_id: str
    kind: str
    why: str
    #: The kind has an effect, but its status is one that nobody here knows: the state is kept.
    unknown_status: bool = False


class Foreign(Struct, frozen=True):
    """An event of another account than ours, or of the other mode: test instead of live money."""

    event_id: str
    kind: str
    why: str


Fact = PaymentFact | RefundFact | DisputeFact | Unmodelled | Foreign


class CallResult(Struct, frozen=True):
    """What a call to the provider came to: its object's ID, or a definite refusal.

    The object of a refund is the provider's refund, of any other operation its payment object.
    """

    call_key: str
    operation: Operation
    object_id: str | None
    refusal: Failure | None


class Release(Struct, frozen=True):
    """An operator ends the payment's quarantine. Without a quarantine it has no effect."""


class Input(Struct, frozen=True):
    """One record of the log, decoded: its event ID, when we received it, and what it says."""

    event_id: str
    received_at: datetime
    body: Command | Fact | CallResult | Release

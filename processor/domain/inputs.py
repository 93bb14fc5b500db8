"""What ``decide`` is given: a client's command, a provider's fact, or a call's result. Frozen.

Amounts are integer minor units of the payment's currency; times are aware UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from processor.domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something failed: the provider's code, and a sentence a person can read."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Create:
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


@dataclass(frozen=True, slots=True)
class Confirm:
    """Start the next attempt with another payment method."""

    tenant: str
    operation_id: str
    fingerprint: str
    payment_method: str


@dataclass(frozen=True, slots=True)
class Capture:
    """Capture an authorized payment: this much, or all of it."""

    tenant: str
    operation_id: str
    fingerprint: str
    amount: int | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask the provider to cancel, for the client or because nobody acted in time."""

    tenant: str
    operation_id: str
    fingerprint: str
    expired: bool


@dataclass(frozen=True, slots=True)
class Refund:
    """Give back this much, or all that is left."""

    tenant: str
    operation_id: str
    fingerprint: str
    refund_id: str
    amount: int | None
    reason: str | None


Command = Create | Confirm | Capture | Cancel | Refund


@dataclass(frozen=True, slots=True)
class PaymentFact:
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


@dataclass(frozen=True, slots=True)
class RefundFact:
    """A refund at the provider as it was at ``occurred_at``."""

    event_id: str
    occurred_at: datetime
    #: The provider's payment object this refund belongs to.
    object_id: str
    #: Ours where we asked for it, otherwise derived from the provider's object.
    refund_id: str
    status: RefundStatus
    amount: int
    currency: str
    reason: str | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Movement:
    """Disputed money that moved: out (withdrawn, positive) or back (reinstated, negative)."""

    ref: str
    amount: int


@dataclass(frozen=True, slots=True)
class DisputeFact:
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


@dataclass(frozen=True, slots=True)
class Unmodelled:
    """An event of a kind that has no effect on a payment, or says a status nobody knows."""

    event_id: str
    kind: str
    why: str
    #: The kind has an effect, but its status is one that nobody here knows: the state is kept.
    unknown_status: bool = False


Fact = PaymentFact | RefundFact | DisputeFact | Unmodelled


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a call to the provider came to: its object's ID, or a definite refusal."""

    call_key: str
    operation: str
    object_id: str | None
    refusal: Failure | None


@dataclass(frozen=True, slots=True)
class Release:
    """An operator takes the hold off the payment. Of one that is not held it has no effect."""


@dataclass(frozen=True, slots=True)
class Input:
    """One record of the log, decoded: its event ID, when we received it, and what it says."""

    event_id: str
    received_at: datetime
    body: Command | Fact | CallResult | Release

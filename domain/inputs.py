"""The inputs of ``decide``: a client's command, a provider's fact, or a call's result. Frozen.

Amounts are integer minor units of the payment's currency; times are aware UTC.
"""

from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

from domain.call_key import Operation
from domain.status import DisputeStatus, MovementKind, ProviderStatus, RefundStatus
from domain.terms import PaymentTerms

#: In place of an amount: all that is left to capture or refund. It is always said, since an absent
#: amount may be a lost one.
All = Literal["all"]
ALL: Final = "all"


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
    #: The payment's version that the client has seen; None: whichever it is.
    expected_version: int | None = None


class Capture(Struct, frozen=True):
    """Capture this amount of an authorized payment, or all that is authorized."""

    tenant: str
    operation_id: str
    fingerprint: str
    amount: int | All
    #: The payment's version that the client has seen; None: whichever it is.
    expected_version: int | None = None


class Cancel(Struct, frozen=True):
    """Cancel the payment at the provider: for the client, or because the payment expired."""

    tenant: str
    operation_id: str
    fingerprint: str
    expired: bool
    #: The payment's version that the client has seen; None: whichever it is.
    expected_version: int | None = None


class Refund(Struct, frozen=True, kw_only=True):
    """Refund this amount, or all that is left."""

    tenant: str
    operation_id: str
    fingerprint: str
    refund_id: str
    amount: int | All
    reason: str | None
    #: The payment's version that the client has seen; None: whichever it is.
    expected_version: int | None = None


Command = Create | Confirm | Capture | Cancel | Refund


class PaymentFact(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The provider's payment object as it was at ``occurred_at``."""

    event_id: str
    occurred_at: datetime
    object_id: str
    status: ProviderStatus
    #: What is authorized or, before that, asked for. Others may change it at the provider.
    amount: int
    currency: str
    captured: int
    #: The provider's name for the failed attempt. Every report of one failure has the same.
    attempt_ref: str | None = None
    #: Idempotency key of the call that caused this, where the provider names it.
    caused_by: str | None = None
    #: Whether the provider says what caused this; then no key means that no call of ours did.
    names_cause: bool = False
    failure: Failure | None = None
    action_url: str | None = None


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
    #: When the provider made the refund.
    made_at: datetime | None = None
    #: The provider may report a released authorization in this form; see ``facts.releases``.
    may_be_release: bool = False
    #: The amount is what was given back in all until then, released amounts included if
    #: ``may_be_release``; the report need not name the refunds. See ``facts.refund_totals``.
    is_total: bool = False
    #: The refunds that a total does name.
    listed: "tuple[RefundFact, ...]" = ()


class Movement(Struct, frozen=True, omit_defaults=True):
    """Disputed money that moved, taken from us (positive) or given to us (negative).

    Its currency is that of the balance it moved on, which need not be the payment's.
    """

    ref: str
    #: Minor units of ``currency``.
    amount: int
    #: ISO 4217, upper case.
    currency: str
    kind: MovementKind


class DisputeFact(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A dispute at the provider as it was at ``occurred_at``."""

    event_id: str
    occurred_at: datetime
    object_id: str
    dispute_id: str
    status: DisputeStatus
    amount: int
    #: The bank may dispute in another currency than the customer paid in.
    currency: str
    reason: str | None = None
    movements: tuple[Movement, ...] = ()
    #: The response is an appeal against a decision.
    appeal: bool = False
    #: Until when the provider takes our response.
    respond_by: datetime | None = None


class FraudWarningFact(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A bank's warning that a payment may be fraudulent, as it was at ``occurred_at``."""

    event_id: str
    occurred_at: datetime
    object_id: str
    warning_id: str
    #: The provider's word for the kind of fraud.
    type: str
    #: A refund may still prevent a dispute.
    actionable: bool


class Unmodelled(Struct, frozen=True):
    """An event of a kind without effect on a payment, or with an unknown status."""

    event_id: str
    kind: str
    why: str
    #: The kind has an effect, but its status is unknown, so the payment is left unchanged.
    unknown_status: bool = False
    #: Its form is of a version that is not read, so what it says is unknown.
    unread_version: bool = False
    #: The same event may come in a form that has an effect, so its event ID is not used up.
    other_form: bool = False


class Foreign(Struct, frozen=True):
    """An event of another account than ours, or of the other mode (test or live)."""

    event_id: str
    kind: str
    why: str


Fact = PaymentFact | RefundFact | DisputeFact | FraudWarningFact | Unmodelled | Foreign


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

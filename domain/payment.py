"""A payment: what its client requested, and the facts that its provider reported.

``view`` derives the status and every amount from these. Nothing is accumulated on arrival. What is
unknown or empty is left out of the stored document; an amount never is, so it has no default.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from domain.call_key import Operation
from domain.inputs import (
    DisputeFact,
    Failure,
    FraudWarningFact,
    Movement,
    PaymentFact,
    RefundFact,
)
from domain.status import Status
from domain.terms import PaymentTerms


class Attempt(Struct, frozen=True, omit_defaults=True):
    """One try to collect the amount. The create starts the first one, each confirm the next."""

    number: int
    payment_method: str
    #: How many failures were known when this attempt started. It has failed once more are known.
    failures_before: int = 0
    #: The provider refused to start it, so the attempt does not count.
    refusal: Failure | None = None


class CaptureRequest(Struct, frozen=True, omit_defaults=True):
    """A requested capture. After a refusal, another one can be requested under the next number."""

    number: int
    amount: int
    refusal: Failure | None = None


class CancelRequest(Struct, frozen=True, omit_defaults=True):
    """A requested cancel."""

    expired: bool


class RefundRequest(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One refund that a client requested. ``facts.refunds`` matches it with the provider's."""

    id: str
    amount: int
    reason: str | None
    refusal: Failure | None = None
    #: The provider's refund object, as the response to our call named it.
    provider_ref: str | None = None


class ProviderRefund(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One refund at the provider, requested by a client or not: the latest fact of each status."""

    ref: str
    id: str
    amount: int
    #: In ``join.refund_order``; the last one has the refund's status. Never empty.
    facts: tuple[RefundFact, ...]
    #: Our refund ID in the call key that its events carry; the first in order of several.
    key_refund_id: str | None = None
    #: The others, in order: anybody may change a refund under a key that they choose.
    other_key_refund_ids: tuple[str, ...] = ()
    #: Every refund ID of ours that an event claimed for it. A later event may leave it out.
    claims: tuple[str, ...] = ()
    made_at: datetime | None = None
    #: Each of its reports may be of a released authorization.
    may_be_release: bool = False

    @property
    def key_refund_ids(self) -> tuple[str, ...]:
        """Every refund ID of ours in a call key that its events carry, in order."""
        first = self.key_refund_id
        return () if first is None else (first, *self.other_key_refund_ids)


class Dispute(Struct, frozen=True, omit_defaults=True):
    """One dispute: the latest fact, and every movement of money that any fact reported."""

    id: str
    fact: DisputeFact
    movements: tuple[Movement, ...] = ()


class OpenOperation(Struct, frozen=True):
    """An applied operation that has no end yet. Its type and name make its provider call's key."""

    #: What it asked for, and what distinguishes its provider call from others of that kind.
    type: Operation
    name: str
    #: When its command came.
    received_at: datetime


class Payment(PaymentTerms, frozen=True, omit_defaults=True):
    """One payment. Frozen: ``decide`` returns a new one."""

    id: str
    tenant: str
    created_at: datetime
    updated_at: datetime
    version: int
    status: Status
    attempts: tuple[Attempt, ...]
    #: Body fingerprint of each operation that the client requested, by operation ID.
    operations: Mapping[str, str]
    #: Those of them that have no end yet, by their commands' event IDs.
    open_operations: Mapping[str, OpenOperation] = {}
    #: The provider's object, once a result or a fact named it.
    object_id: str | None = None
    create_refusal: Failure | None = None
    capture: CaptureRequest | None = None
    cancel: CancelRequest | None = None
    #: How many cancels the provider refused. The next one has the next number in its key.
    cancel_refusals: int = 0
    #: The provider refused our own cancel for used-up attempts: somebody else had ended it.
    last_cancel_refused: bool = False
    #: The facts that determine the view; ``join`` drops those that no longer can.
    facts: tuple[PaymentFact, ...] = ()
    refunds: tuple[RefundRequest, ...] = ()
    #: In order of their refs.
    provider_refunds: tuple[ProviderRefund, ...] = ()
    #: The latest report of what was given back in all.
    refund_total: RefundFact | None = None
    #: The least and the greatest amount of such reports that may have a release in them.
    refund_total_range: tuple[int, int] | None = None
    #: Requested refunds whose call key such a report carries.
    echoed_refunds: frozenset[str] = frozenset()
    disputes: tuple[Dispute, ...] = ()
    #: The latest fact about each warning, in order of their IDs.
    fraud_warnings: tuple[FraudWarningFact, ...] = ()
    #: Keys of the provider calls requested so far.
    calls: frozenset[str] = frozenset()
    #: Keys of those calls that have a result.
    finished_calls: frozenset[str] = frozenset()

    @property
    def parts(self) -> int:
        """How many refunds and disputes are known at least; some requested refunds are reported."""
        return max(len(self.refunds), len(self.provider_refunds)) + len(self.disputes)

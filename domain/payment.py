"""A payment as the domain knows it: what was asked, and what the provider is known to have said.

``status`` and every amount are derived from these by ``view``; nothing is added up on arrival.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from domain.inputs import DisputeFact, Failure, Movement, PaymentFact, RefundFact
from domain.status import Status


class Attempt(Struct, frozen=True):
    """One try to take the money. The first belongs to the create, each next to a confirm."""

    number: int
    payment_method: str
    #: Failed attempts known when this one was started; it has failed once more are known.
    failures_before: int = 0
    #: The provider refused to even try; the attempt does not count.
    refusal: Failure | None = None


class CaptureRequest(Struct, frozen=True):
    """A capture somebody asked for. A refused one may be asked for again under the next number."""

    number: int
    amount: int
    refusal: Failure | None = None


class CancelRequest(Struct, frozen=True):
    """A cancel somebody asked for."""

    expired: bool


class Refund(Struct, frozen=True):
    """One refund that a client asked for. Which of the provider's it is: see ``refunds``."""

    id: str
    amount: int
    reason: str | None
    refusal: Failure | None = None
    #: The provider's refund object, as our call was answered with it.
    acknowledged: str | None = None


class ProviderRefund(Struct, frozen=True):
    """One refund at the provider, whoever asked for it: the latest fact of each status."""

    ref: str
    id: str
    amount: int
    #: By ``join.refund_order``: the last one tells its status. Never empty.
    facts: tuple[RefundFact, ...]
    #: The refund of ours whose call's key one of its events echoed; the first by name of several.
    echoes: str | None = None
    #: What any of its events said it is, by our refund IDs: a later event may leave that out.
    claims: tuple[str, ...] = ()


class Dispute(Struct, frozen=True):
    """One dispute: the latest fact, and every movement of money told by any fact."""

    id: str
    fact: DisputeFact
    movements: tuple[Movement, ...] = ()


class Payment(Struct, frozen=True):
    """One payment. Frozen: ``decide`` answers with another one."""

    id: str
    tenant: str
    provider: str
    amount: int
    currency: str
    capture_method: str
    max_attempts: int
    return_url: str | None
    description: str | None
    metadata: Mapping[str, str]
    created_at: datetime
    expires_at: datetime
    updated_at: datetime
    version: int
    status: Status
    attempts: tuple[Attempt, ...]
    #: Body fingerprint of each operation a client asked for, by operation ID.
    operations: Mapping[str, str]
    #: The provider's object, once acknowledged or named by a fact.
    object_id: str | None = None
    create_refusal: Failure | None = None
    capture: CaptureRequest | None = None
    cancel: CancelRequest | None = None
    #: How many of the client's cancels the provider refused; the next one has a key of its own.
    cancel_refusals: int = 0
    #: A sufficient part of all facts heard (see ``join``): the view of it is the view of the whole.
    facts: tuple[PaymentFact, ...] = ()
    refunds: tuple[Refund, ...] = ()
    provider_refunds: tuple[ProviderRefund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    #: Idempotency keys of the provider calls asked for so far.
    calls: frozenset[str] = frozenset()
    #: Keys of those calls that have come to something.
    settled: frozenset[str] = frozenset()

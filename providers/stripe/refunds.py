"""Translates Stripe's refunds into facts of the domain."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from domain.call_key import CallKey
from domain.inputs import Fact, Failure, RefundFact
from domain.status import RefundStatus
from providers.stripe.currencies import from_stripe
from providers.stripe.shapes import Event, Refund
from providers.stripe.unmodelled import of_no_intent, unknown_status
from providers.stripe.versions import RELEASES_ARE_NO_REFUNDS, has
from schemas.identity import is_refund_id, provider_made_id

REFUND_STATUS: Final[Mapping[str, RefundStatus]] = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.REQUIRES_ACTION,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELED,
}
#: The type of an event that is made from a fetched refund.
RETRIEVED_REFUND: Final = "refund.retrieved"
#: The metadata key of our refund ID.
REFUND_ID_KEY: Final = "refund_id"

_REFUND: Final = msgspec.json.Decoder(Refund)


def refund_fact(event: Event, at: datetime) -> Fact:
    """Returns the fact of an event about a refund."""
    refund = _REFUND.decode(event.data.object)
    # a status of null is published too; pending reserves the amount, and gives nothing back yet
    status = REFUND_STATUS.get(refund.status or "pending")
    if status is None:
        return unknown_status(event, refund.status or "")
    if refund.payment_intent is None:
        return of_no_intent(event)
    return _fact(event, at, refund, status, refund.payment_intent, event.key)


def listed_refunds(
    event: Event, at: datetime, listed: Sequence[Refund], object_id: str
) -> tuple[RefundFact, ...]:
    """Returns the facts of the refunds that a charge lists; the newest one caused the event.

    Several can be of the newest second. Then it is the one whose metadata names the refund that
    the event's key names; if not exactly one does, none has the key.
    """
    newest = max((refund.created or 0 for refund in listed), default=0)
    made_last = [refund for refund in listed if (refund.created or 0) == newest]
    if len(made_last) > 1:
        key = CallKey.parse(event.key)
        made_last = [r for r in made_last if key is not None and _claims(r) == key.name]
    cause = made_last[0].id if len(made_last) == 1 else None
    known = [(r, REFUND_STATUS.get(r.status or "pending")) for r in listed]
    return tuple(
        _fact(event, at, refund, status, object_id, event.key if refund.id == cause else None)
        for refund, status in known
        if status is not None
    )


def _claims(refund: Refund) -> str | None:
    """Returns the refund ID of ours that stands in a refund's metadata."""
    metadata = refund.metadata if isinstance(refund.metadata, dict) else {}
    claims = metadata.get(REFUND_ID_KEY)
    return claims if isinstance(claims, str) and is_refund_id(claims) else None


def _fact(
    event: Event,
    at: datetime,
    refund: Refund,
    status: RefundStatus,
    object_id: str,
    key: str | None,
) -> RefundFact:
    failure = None
    if refund.failure_reason is not None:
        failure = Failure(refund.failure_reason, "The refund did not reach the customer.")
    made, currency = refund.created, refund.currency.upper()
    return RefundFact(
        event_id=event.id,
        occurred_at=at,
        object_id=object_id,
        ref=refund.id,
        refund_id=provider_made_id("ref", "stripe", refund.id),
        status=status,
        amount=from_stripe(refund.amount, currency),
        currency=currency,
        reason=refund.reason,
        failure=failure,
        claims=_claims(refund),
        caused_by=key,
        made_at=datetime.fromtimestamp(made, UTC) if made is not None else None,
        may_be_release=_may_be_release(event),
    )


def _may_be_release(event: Event) -> bool:
    """Whether the refund may only let go of an authorization.

    A fetched refund does not say under which version it was made.
    """
    return event.type == RETRIEVED_REFUND or not has(event.api_version, RELEASES_ARE_NO_REFUNDS)

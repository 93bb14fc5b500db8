"""Translates events about charges, which report refunds to endpoints of old API versions."""

from datetime import datetime
from typing import Final

import msgspec

from domain.inputs import Fact, RefundFact
from domain.status import RefundStatus
from providers.stripe.currencies import from_stripe
from providers.stripe.refunds import listed_refunds
from providers.stripe.shapes import Charge, Event
from providers.stripe.unmodelled import of_no_intent, told_by_others
from providers.stripe.versions import REFUND_EVENTS, RELEASES_ARE_NO_REFUNDS, has
from schemas.identity import provider_made_id

_CHARGE: Final = msgspec.json.Decoder(Charge)


def charge_refunded(event: Event, at: datetime) -> Fact:
    """Returns what was given back in all, with the refunds that the charge lists.

    Where ``refund.*`` events report every refund, this one counts nothing, not even the key of our
    own call: it must not use up the event ID, under which an older form has the total.
    """
    if has(event.api_version, REFUND_EVENTS):
        return told_by_others(event)
    charge = _CHARGE.decode(event.data.object)
    if charge.payment_intent is None:
        return of_no_intent(event)
    listed = charge.refunds.data if charge.refunds is not None else []
    return RefundFact(
        event_id=event.id,
        occurred_at=at,
        object_id=charge.payment_intent,
        ref=charge.id,
        refund_id=provider_made_id("ref", "stripe", charge.id),
        status=RefundStatus.SUCCEEDED,
        amount=from_stripe(charge.amount_refunded, charge.currency.upper()),
        currency=charge.currency.upper(),
        caused_by=event.key,
        may_be_release=not has(event.api_version, RELEASES_ARE_NO_REFUNDS),
        is_total=True,
        listed=listed_refunds(event, at, listed, charge.payment_intent),
    )

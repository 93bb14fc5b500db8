"""Translates Stripe's events into facts of the domain."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from domain.inputs import (
    Fact,
    Failure,
    Foreign,
    PaymentFact,
)
from domain.status import CancelCause, ProviderStatus
from ports.provider import Account, MalformedWebhookError
from providers.stripe.actions import hosted_page, in_newest_form
from providers.stripe.charges import charge_refunded
from providers.stripe.currencies import from_stripe
from providers.stripe.disputes import dispute_fact, fraud_warning_fact
from providers.stripe.refunds import RETRIEVED_REFUND, refund_fact
from providers.stripe.shapes import Event, LastPaymentError, PaymentIntent
from providers.stripe.unmodelled import unknown_status, unread_version, without_effect
from providers.stripe.versions import PAYMENT_METHODS, has, unread

PAYMENT_STATUS: Final[Mapping[str, ProviderStatus]] = {
    "requires_payment_method": ProviderStatus.OPEN,  # ATTEMPT_FAILED if it has an error
    "requires_confirmation": ProviderStatus.OPEN,
    "requires_action": ProviderStatus.ACTION_NEEDED,
    "processing": ProviderStatus.PENDING,
    "requires_capture": ProviderStatus.AUTHORIZED,
    "succeeded": ProviderStatus.SUCCEEDED,
    "canceled": ProviderStatus.CANCELED,
}
#: The names of versions before 2019-02-11, for those that were renamed.
OLD_PAYMENT_STATUS: Final[Mapping[str, ProviderStatus]] = {
    "requires_source": ProviderStatus.OPEN,
    "requires_source_action": ProviderStatus.ACTION_NEEDED,
}
#: The cancellation_reason that we send, for people. Anybody can choose it, so we never read it.
CANCELLATION_REASON: Final[Mapping[CancelCause, str]] = {
    CancelCause.ATTEMPTS_EXHAUSTED: "abandoned",
    CancelCause.REQUESTED: "requested_by_customer",
}

_INTENT: Final = msgspec.json.Decoder(PaymentIntent)

#: Metadata keys that we set, and read in events and objects.
PAYMENT_ID_KEY: Final = "payment_id"


def _failure(error: LastPaymentError) -> Failure:
    code = error.decline_code or error.code or "unknown"
    return Failure(code, error.message or "The payment method was not accepted.")


def _attempt_ref(error: LastPaymentError) -> str | None:
    """Returns the failed charge or, if authentication failed before one, the payment method."""
    method = error.payment_method or {}
    ref = error.charge or method.get("id")
    return ref if isinstance(ref, str) else None


def _money(intent: PaymentIntent, status: ProviderStatus, currency: str) -> tuple[int, int]:
    """Returns the authorized (or asked) amount, and the captured one.

    Others can raise an authorization, capture more than it, or authorize only a part. An amount
    that is lost where it counts makes the event malformed: it is never 0.
    """
    amount, received = intent.amount, 0
    if status in {ProviderStatus.AUTHORIZED, ProviderStatus.SUCCEEDED}:
        received = _present(intent.amount_received, "amount_received")
    if status is ProviderStatus.AUTHORIZED:
        amount = received + _present(intent.amount_capturable, "amount_capturable")
    captured = received if status is ProviderStatus.SUCCEEDED else 0
    return from_stripe(amount, currency), from_stripe(captured, currency)


def _present(amount: int | None, field: str) -> int:
    if amount is None:
        raise MalformedWebhookError(f"the payment intent lacks its {field}")
    return amount


def _names_cause(event: Event, status: ProviderStatus) -> bool:
    """Whether the event says which request ended the payment.

    Without a request a payment intent succeeds by itself, for example a delayed capture of ours.
    """
    if status is ProviderStatus.SUCCEEDED:
        return event.names_request and not event.is_automatic
    return status is ProviderStatus.CANCELED and event.names_request


def _payment(event: Event, at: datetime) -> Fact:
    intent = _INTENT.decode(event.data.object)
    status = PAYMENT_STATUS.get(intent.status)
    if not has(event.api_version, PAYMENT_METHODS):
        status = OLD_PAYMENT_STATUS.get(intent.status, status)
    if status is None:
        return unknown_status(event, intent.status)
    error = intent.last_payment_error
    failed = status is ProviderStatus.OPEN and error is not None
    currency = intent.currency.upper()
    amount, captured = _money(intent, status, currency)
    return PaymentFact(
        event_id=event.id,
        occurred_at=at,
        object_id=intent.id,
        status=ProviderStatus.ATTEMPT_FAILED if failed else status,
        amount=amount,
        currency=currency,
        captured=captured,
        attempt_ref=_attempt_ref(error) if failed and error is not None else None,
        caused_by=event.key,
        names_cause=_names_cause(event, status),
        failure=_failure(error) if failed and error is not None else None,
        action_url=hosted_page(in_newest_form(intent.next_action, intent.next_source_action)),
    )


Translator = Callable[[Event, datetime], Fact]

#: The type of an event that is made from a fetched payment intent.
RETRIEVED: Final = "payment_intent.retrieved"
#: The same from what belongs to one.
RETRIEVED_DISPUTE: Final = "charge.dispute.retrieved"
RETRIEVED_WARNING: Final = "radar.early_fraud_warning.retrieved"
#: Stripe sends and lists none of these.
OWN_TYPES: Final = frozenset({RETRIEVED, RETRIEVED_REFUND, RETRIEVED_DISPUTE, RETRIEVED_WARNING})

#: The event types that concern a payment. All others are recorded as ignored.
TRANSLATORS: Final[Mapping[str, Translator]] = {
    "payment_intent.created": _payment,
    "payment_intent.requires_action": _payment,
    "payment_intent.processing": _payment,
    "payment_intent.amount_capturable_updated": _payment,
    "payment_intent.payment_failed": _payment,
    "payment_intent.succeeded": _payment,
    "payment_intent.canceled": _payment,
    "refund.created": refund_fact,
    "refund.updated": refund_fact,
    "refund.failed": refund_fact,
    "charge.refund.updated": refund_fact,
    "charge.refunded": charge_refunded,
    "charge.dispute.created": dispute_fact,
    "charge.dispute.updated": dispute_fact,
    "charge.dispute.closed": dispute_fact,
    "charge.dispute.funds_withdrawn": dispute_fact,
    "charge.dispute.funds_reinstated": dispute_fact,
    "radar.early_fraud_warning.created": fraud_warning_fact,
    "radar.early_fraud_warning.updated": fraud_warning_fact,
    # made by ``StripeApi`` from the objects themselves
    RETRIEVED: _payment,
    RETRIEVED_REFUND: refund_fact,
    RETRIEVED_DISPUTE: dispute_fact,
    RETRIEVED_WARNING: fraud_warning_fact,
}


#: The types to ask the event list for, at most 20: https://docs.stripe.com/api/events/list
LISTED_TYPES: Final = tuple(name for name in TRANSLATORS if name not in OWN_TYPES)


def is_about_payment(event: Event) -> bool:
    """Whether an event is about a payment intent itself, in whatever form or status."""
    return TRANSLATORS.get(event.type) is _payment


def translate(event: Event, account: Account) -> Fact:
    """Returns the fact of an event. Raises msgspec.ValidationError for a malformed object."""
    why = account.refuses(event.account or event.user_id, is_live=event.livemode)
    if why is not None:
        return Foreign(event.id, event.type, why)
    translator = TRANSLATORS.get(event.type)
    if translator is None:
        return without_effect(event)
    why = unread(event.api_version)
    if why is not None:
        return unread_version(event, why)
    return translator(event, datetime.fromtimestamp(event.created, UTC))

"""The translation tables are complete and correctly spelt; unknown values change nothing."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
import stripe
from stripe.params import WebhookEndpointCreateParams

from domain.inputs import Unmodelled
from domain.status import DisputeStatus, ProviderStatus, RefundStatus
from providers.stripe.disputes import DISPUTE_STATUS
from providers.stripe.refunds import REFUND_STATUS
from providers.stripe.translate import OWN_TYPES, PAYMENT_STATUS, TRANSLATORS
from tests.providers.stripe.builders import dispute, event, intent, refund, translator


def test_every_event_with_an_effect_is_about_one_of_four_objects() -> None:
    """A payment intent, a refund, a dispute or a fraud warning; each has its own tests."""
    words = ("payment_intent.", "refund", "dispute", "early_fraud_warning")
    for kind in TRANSLATORS:
        about = [word for word in words if word in kind]
        assert len(about) == 1, kind


def test_every_published_status_is_translated() -> None:
    """The tables have all statuses of the package's API version and all of the domain's."""
    assert set(PAYMENT_STATUS) == _published(stripe.PaymentIntent, "status")
    assert set(DISPUTE_STATUS) == _published(stripe.Dispute, "status")
    assert set(PAYMENT_STATUS.values()) == set(ProviderStatus) - {ProviderStatus.ATTEMPT_FAILED}
    assert set(REFUND_STATUS.values()) == set(RefundStatus) - {RefundStatus.REQUESTED}
    assert set(DISPUTE_STATUS.values()) == set(DisputeStatus)


def test_every_event_in_the_table_is_one_that_stripe_sends() -> None:
    """A misspelt type would never match. What we fetch ourselves has types of our own."""
    sent = _published(WebhookEndpointCreateParams, "enabled_events")
    assert set(TRANSLATORS) - sent == OWN_TYPES


def _published(kind: type, name: str) -> set[str]:
    """Returns the values that the package lists for a field."""
    return set(_literals(kind.__annotations__[name]))


def _literals(annotation: Any) -> Iterator[str]:
    for part in get_args(annotation):
        if isinstance(part, str):
            yield part
        else:
            yield from _literals(part)


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("payment_intent.succeeded", intent("requires_thought")),
        ("refund.updated", refund("requires_thought")),
        ("charge.dispute.updated", dispute("requires_thought")),
    ],
)
def test_an_unknown_status_changes_nothing(kind: str, about: dict[str, Any]) -> None:
    """The event has no effect, and its reason names the status."""
    fact = translator().translate(event(kind, about)).fact
    assert isinstance(fact, Unmodelled)
    assert fact.unknown_status
    assert (fact.event_id, fact.kind) == ("evt_1", kind)
    assert "requires_thought" in fact.why


@pytest.mark.parametrize(
    "kind", ["charge.captured", "charge.failed", "payment_intent.created.v2", "customer.created"]
)
def test_a_type_that_is_not_in_the_table_changes_nothing(kind: str) -> None:
    """It is no error, and its object is not checked."""
    fact = translator().translate(event(kind, {"status": 7})).fact
    assert fact == Unmodelled("evt_1", kind, "this type of event has no effect on a payment")


@pytest.mark.parametrize(
    ("kind", "about"),
    [
        ("refund.updated", refund(payment_intent=None)),
        ("charge.dispute.updated", dispute(payment_intent=None)),
    ],
)
def test_an_object_without_a_payment_intent_changes_nothing(
    kind: str, about: dict[str, Any]
) -> None:
    """It belongs to a charge of Stripe's older API, which we don't use."""
    assert isinstance(translator().translate(event(kind, about)).fact, Unmodelled)

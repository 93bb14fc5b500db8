"""What somebody with access to the account writes on an object hides no event about it."""

import json
from typing import Any, Final

import pytest
from msgspec.structs import replace

from domain.inputs import Fact, RefundFact
from providers.stripe.secrets_in_bodies import without_client_secrets
from providers.stripe.translate import TRANSLATORS
from tests.providers.stripe.builders import (
    INTENT,
    REFUND,
    dispute,
    event,
    fraud_warning,
    intent,
    movement,
    reader,
    refund,
    signed,
    translator,
)

#: Metadata as it can be in a body, also once a client secret was cut out of it.
_METADATA: Final = {
    "none": None,
    "a list": ["x"],
    "a number": 7,
    "a text": "x",
    "a value that is null": {"client_secret": None},
    "a value that is no text": {"a": 1, "b": {"c": []}, "d": True},
    "our keys, of other types": {"payment_id": None, "refund_id": ["x"]},
}
_OLD: Final = "2020-08-27"


def _charge(**changes: Any) -> dict[str, Any]:
    """A charge as versions before 2022-11-15 report it, with a refund."""
    refunds = {"object": "list", "data": [refund(**changes)]}
    of_it = {"amount_refunded": 400, "currency": "eur", "payment_intent": INTENT}
    return {"id": "ch_1", "object": "charge", **of_it, "refunds": refunds, **changes}


def _events(**written: Any) -> dict[str, bytes]:
    """One event of each type that is read, with these members on its object."""
    error = {"code": "card_declined", "charge": "ch_1", "payment_method": {"id": "pm_1", **written}}
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": "https://bank", **written}}
    details = {"due_by": 0, **written}
    moved = [movement(-1000, **written)]
    made = {
        "payment_intent": intent(
            "requires_payment_method", last_payment_error=error, next_action=action, **written
        ),
        "charge.dispute": dispute(balance_transactions=moved, evidence_details=details, **written),
        "radar": fraud_warning(**written),
        "charge.refunded": _charge(**written),
    }
    return {
        kind: event(
            kind,
            next(
                (about for name, about in made.items() if kind.startswith(name)), refund(**written)
            ),
            api_version=_OLD if kind == "charge.refunded" else None,
        )
        for kind in TRANSLATORS
    }


def _fact(body: bytes) -> Fact:
    """The fact of an event as the service keeps it."""
    return translator().translate(without_client_secrets(body)).fact


def _unclaimed(fact: Fact) -> Fact:
    """The fact without the refund ID of ours that its metadata names."""
    if not isinstance(fact, RefundFact):
        return fact
    listed = tuple(replace(each, claims=None) for each in fact.listed)
    return replace(fact, claims=None, listed=listed)


@pytest.mark.parametrize("kind", TRANSLATORS)
@pytest.mark.parametrize("form", _METADATA)
def test_metadata_of_any_form_hides_no_event(kind: str, form: str) -> None:
    """It is routed by its object, and its fact is that of an event with our own metadata."""
    body = _events(metadata=_METADATA[form])[kind]
    plain = _events()[kind]
    assert _fact(body) == _unclaimed(_fact(plain))
    found, expected = (reader().verify(each, signed(each)) for each in (body, plain))
    assert (found.event_id, found.object_id) == (expected.event_id, expected.object_id)


@pytest.mark.parametrize("kind", TRANSLATORS)
def test_a_client_secret_anywhere_on_an_object_hides_no_event(kind: str) -> None:
    """Its text is cut out, and nothing else of the event depends on it."""
    member = {"client_secret": "x", "more": {"client_secret": "y"}}
    assert _fact(_events(**member)[kind]) == _fact(_events()[kind])


@pytest.mark.parametrize("kind", [kind for kind in TRANSLATORS if "refund" in kind])
def test_a_client_secret_in_metadata_leaves_our_own_keys(kind: str) -> None:
    """Somebody may keep one of another system there."""
    metadata = {"refund_id": REFUND, "client_secret": "x"}
    body = _events(metadata=metadata)[kind]
    assert json.loads(body)["data"]["object"]["metadata"] == metadata
    assert _fact(body) == _fact(_events()[kind])

"""Stripe's thin events as they come: verified like webhooks, and which ones are followed."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from pydantic import SecretStr

from ports.notices import Notice
from ports.provider import MalformedWebhookError, SignatureError
from providers.stripe.notices.reading import (
    NEVER_MADE,
    StripeNotices,
    StripeNoticeTranslator,
)
from tests import accounts
from tests.providers.stripe.builders import OLD_SECRET, SECRET, TOLERANCE_S, event, signed

SHOP = "acct_shop"


def thin(**changes: Any) -> bytes:
    """A thin event, as Stripe sends it, that says that an event was never made."""
    whole = {
        "id": "evt_65thin",
        "object": "v2.core.event",
        "type": NEVER_MADE,
        "livemode": False,
        "created": "2026-03-01T12:00:00.000Z",
        "related_object": None,
    }
    return json.dumps({**whole, **changes}).encode()


def reader(*secrets: str, name: str = "stripe") -> StripeNotices:
    """A reader of notices with these secrets."""
    hidden = [SecretStr(secret) for secret in secrets or (SECRET,)]
    return StripeNotices(hidden, TOLERANCE_S, lambda: datetime.now(UTC), name)


def read(body: bytes) -> Notice:
    """The notice, of the tests' account with one connected account."""
    return StripeNoticeTranslator(accounts.STRIPE, "stripe", {SHOP: "shop"}).notice(body)


def test_a_signed_notice_is_known_by_its_id_and_names_no_payment() -> None:
    """Its ID is the account's own, as every event's is."""
    body = thin(related_object={"id": "pi_1", "type": "payment_intent", "url": "/v1/..."})
    for name, event_id in (("stripe", "evt_65thin"), ("second", "second:evt_65thin")):
        found = reader(name=name).verify(body, signed(body))
        assert (found.event_id, found.object_id, found.payment_id) == (event_id, None, None)
        assert found.provider is None


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_both_secrets_are_valid_while_one_replaces_the_other(secret: str) -> None:
    """As of webhooks."""
    body = thin()
    assert reader(OLD_SECRET, SECRET).verify(body, signed(body, secret)).event_id == "evt_65thin"


#: Headers, made when they are needed: the signature has a time.
REFUSED: Final[Mapping[str, Callable[[], Mapping[str, str]]]] = {
    "unsigned": dict,
    "another's": lambda: signed(thin(), "whsec_of_somebody_else"),
    "altered": lambda: signed(thin(livemode=True)),
    "stale": lambda: signed(thin(), age_s=TOLERANCE_S + 1),
    "ahead": lambda: signed(thin(), age_s=-TOLERANCE_S - 5),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_notice_that_is_not_signed_as_it_is_is_refused(case: str) -> None:
    """The same signature and tolerance as of webhooks."""
    with pytest.raises(SignatureError):
        reader().verify(thin(), REFUSED[case]())


@pytest.mark.parametrize("event_id", ["evt_1/../../v1/balance", "evt 1", "evt_1?x", "", 7, "é"])
def test_an_id_that_would_lead_elsewhere_is_none(event_id: object) -> None:
    """It becomes part of the path of a request with our API key."""
    body = thin(id=event_id)
    with pytest.raises(MalformedWebhookError):
        reader().verify(body, signed(body))
    with pytest.raises(MalformedWebhookError):
        read(body)


def test_only_a_report_of_an_event_that_was_never_made_is_followed() -> None:
    """All other thin events say nothing of a payment: each is ignored, and says why."""
    assert read(thin()) == Notice(NEVER_MADE)
    for kind in ("v2.core.health.api_latency.firing", "v2.core.event_destination.ping"):
        found = read(thin(type=kind))
        assert (found.kind, found.is_foreign) == (kind, False)
        assert found.why == "a notice of this kind says nothing of a payment"


def test_an_event_with_a_payload_is_no_notice() -> None:
    """What signs notices can't move a payment."""
    found = read(event("payment_intent.succeeded"))
    assert found.kind == "payment_intent.succeeded"
    assert found.why == "it has a payload, and came to the endpoint of notices"


@pytest.mark.parametrize(
    ("changes", "is_foreign"),
    [
        ({}, False),
        ({"livemode": True}, True),
        ({"livemode": None}, False),
        ({"context": accounts.STRIPE.name}, False),
        ({"context": SHOP}, False),
        ({"context": f"{accounts.STRIPE.name}/{SHOP}"}, False),
        ({"context": "acct_nobody"}, True),
        ({"context": f"{accounts.STRIPE.name}/acct_nobody"}, True),
        ({"context": ["acct_shop"]}, True),
        ({"context": "acct shop"}, True),
    ],
)
def test_a_notice_of_another_account_or_mode_is_foreign(
    changes: dict[str, Any], *, is_foreign: bool
) -> None:
    """Where it names them. What it leaves out its content says."""
    found = read(thin(**changes))
    assert found.is_foreign is is_foreign
    assert (found.why is not None) is is_foreign

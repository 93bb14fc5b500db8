"""What a customer has to do: each of Stripe's next actions has a page, or only Stripe's SDK."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
import stripe

from domain.inputs import PaymentFact
from providers.stripe.actions import HOSTED, hosted_page
from tests.providers.stripe.builders import event, intent, translator

PAGE: Final = "https://hooks.stripe.com/redirect/authenticate/src_1"
#: The types that no page shows, with an example of their details.
WITHOUT_A_PAGE: Final[Mapping[str, Any]] = {
    "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": PAGE},
    "blik_authorize": {},
    "card_await_notification": {"charge_attempt_at": 1, "customer_approval_required": True},
    "klarna_display_qr_code": {"data": "1", "image_url_png": PAGE, "image_url_svg": PAGE},
    "wechat_pay_redirect_to_android_app": {"app_id": "1"},
    "wechat_pay_redirect_to_ios_app": {"native_url": "weixin://pay"},
}


def test_every_published_action_is_known() -> None:
    """The table and the list above have every type of the package's API version."""
    published = {
        name
        for name in stripe.PaymentIntent.NextAction.__annotations__
        if name not in {"type", "_inner_class_types"}
    }
    assert set(HOSTED) | set(WITHOUT_A_PAGE) == published
    assert set(HOSTED).isdisjoint(WITHOUT_A_PAGE)


@pytest.mark.parametrize("kind", HOSTED)
def test_the_fields_are_those_of_the_package(kind: str) -> None:
    """Each hosted action has the field that the table names."""
    details = stripe.PaymentIntent.NextAction._inner_class_types[kind]  # the only list of them
    assert HOSTED[kind] in details.__annotations__


@pytest.mark.parametrize("kind", HOSTED)
def test_a_hosted_page_is_found(kind: str) -> None:
    """A page whose URL is absent, null or no web address is none."""
    name = HOSTED[kind]
    assert hosted_page({"type": kind, kind: {name: PAGE}}) == PAGE
    for details in ({}, {name: None}, {name: 7}, {name: "javascript:alert(1)"}, {name: ""}, None):
        assert hosted_page({"type": kind, kind: details}) is None
    assert hosted_page({"type": kind}) is None


@pytest.mark.parametrize("kind", WITHOUT_A_PAGE)
def test_an_action_without_a_page_has_no_url(kind: str) -> None:
    """Whatever URLs it has, they are the SDK's."""
    assert hosted_page({"type": kind, kind: WITHOUT_A_PAGE[kind]}) is None


@pytest.mark.parametrize("action", [None, {}, {"type": None}, {"type": 7}, {"type": "a_new_one"}])
def test_an_unknown_action_has_no_url(action: Any) -> None:
    """The SDK may know it."""
    assert hosted_page(action) is None


def test_the_fact_of_an_action_has_its_page() -> None:
    """Otherwise the customer could not be sent to it."""
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": PAGE, "return_url": None}}
    body = event("payment_intent.requires_action", intent("requires_action", next_action=action))
    fact = translator().translate(body).fact
    assert isinstance(fact, PaymentFact)
    assert fact.action_url == PAGE

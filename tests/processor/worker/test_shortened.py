"""An event that no record has room for: what is left of an address in it."""

import json

import pytest

from decisions.fact_texts import with_storable_texts
from domain.inputs import PaymentFact
from ports.texts import URL_CHARS_MAX
from processor.worker.shortened import shortened
from tests.providers.stripe.builders import event, intent, translator


@pytest.mark.parametrize("longer", [-1, 0, 1, 1_000])
def test_an_address_is_whole_or_left_out(longer: int) -> None:
    """Also in an event whose other texts are cut: the beginning of one leads nowhere."""
    url = "https://bank.example/".ljust(URL_CHARS_MAX + longer, "a")
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": url}}
    about = intent("requires_action", next_action=action, description="x" * 100_000)
    body = shortened(event("payment_intent.requires_action", about))
    assert len(body) < 10_000
    assert json.loads(body)["data"]["object"]["status"] == "requires_action"
    fact = with_storable_texts(translator().translate(body).fact)
    assert isinstance(fact, PaymentFact)
    assert fact.action_url == (url if longer <= 0 else None)

"""Which inputs prove that a provider's object belongs to a payment."""

import pytest

from domain.facts.binding import is_proof, may_identify_object
from domain.inputs import CallResult, Fact
from domain.status import ProviderStatus, RefundStatus
from tests.domain.histories.builders import (
    PAYMENT,
    acknowledged,
    key,
    payment_fact,
    received,
    refused,
    requested_refund_fact,
)

_OPEN = ProviderStatus.OPEN


@pytest.mark.parametrize(
    ("body", "settles"),
    [
        (acknowledged(), True),
        (refused("create"), True),
        (acknowledged("confirm:2"), False),
        (payment_fact(_OPEN, 1, caused_by=key("create")), True),
        (payment_fact(_OPEN, 1, caused_by=key("create") + ".2"), True),
        (payment_fact(_OPEN, 1, caused_by=key("confirm:2")), False),
        (payment_fact(_OPEN, 1, caused_by="pay_" + "b" * 30 + ":create"), False),
        (payment_fact(_OPEN, 1), False),
        (requested_refund_fact("re_1", RefundStatus.PENDING, 1, 100), False),
    ],
)
def test_the_result_of_the_create_and_its_key_prove_the_object(
    body: Fact | CallResult, *, settles: bool
) -> None:
    """The result may be a refusal; an event may echo the key of any generation."""
    assert may_identify_object(PAYMENT, received(body, 1)) is settles


def test_a_refund_fact_does_not_prove_the_payments_object() -> None:
    """Also if it names the create's key: the create made no refund."""
    forged = requested_refund_fact("re_1", RefundStatus.PENDING, 1, 100, caused_by=key("create"))
    assert not is_proof(PAYMENT, forged)

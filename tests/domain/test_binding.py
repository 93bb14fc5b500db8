"""What may settle which of the provider's objects is a payment's own."""

import pytest

from domain.facts.binding import is_proof, may_identify_object
from domain.inputs import CallResult, Fact
from domain.status import ProviderStatus, RefundStatus
from tests.domain.histories.builders import (
    PAYMENT,
    acknowledged,
    key,
    our_refund_said,
    received,
    refused,
    said,
)

_OPEN = ProviderStatus.OPEN


@pytest.mark.parametrize(
    ("body", "settles"),
    [
        (acknowledged(), True),
        (refused("create"), True),
        (acknowledged("confirm:2"), False),
        (said(_OPEN, 1, caused_by=key("create")), True),
        (said(_OPEN, 1, caused_by=key("create") + ".2"), True),
        (said(_OPEN, 1, caused_by=key("confirm:2")), False),
        (said(_OPEN, 1, caused_by="pay_" + "b" * 30 + ":create"), False),
        (said(_OPEN, 1), False),
        (our_refund_said("re_1", RefundStatus.PENDING, 1, 100), False),
    ],
)
def test_the_answer_to_our_create_and_its_key_settle_it(
    body: Fact | CallResult, *, settles: bool
) -> None:
    """Its answer, also a refusal, and an event that echoes its key under any generation."""
    assert may_identify_object(PAYMENT, received(body, 1)) is settles


def test_what_is_said_of_a_refund_proves_nothing_of_the_payments_object() -> None:
    """Whatever key it names: our create made no refund."""
    forged = our_refund_said("re_1", RefundStatus.PENDING, 1, 100, caused_by=key("create"))
    assert not is_proof(PAYMENT, forged)

"""What may end the wait of parked inputs: the batch loads what waits for a payment only then."""

import pytest

from domain.facts.waiting import may_end_wait
from domain.inputs import Input, Release
from domain.status import ProviderStatus
from tests.domain.histories.builders import (
    PAYMENT,
    acknowledged,
    at,
    cancel,
    create,
    key,
    payment_fact,
    received,
)

_PENDING = ProviderStatus.PENDING


@pytest.mark.parametrize(
    ("input_", "may_end"),
    [
        (received(create()), True),
        (Input("rel_1", at(9), Release()), True),
        (received(acknowledged("create")), True),
        (received(payment_fact(_PENDING, 4, caused_by=key("create"))), True),
        (received(acknowledged("cancel:exhausted")), True),
        (received(payment_fact(_PENDING, 4)), False),
        (received(acknowledged("cancel:1")), False),
        (received(cancel()), False),
    ],
)
def test_what_may_end_a_wait(input_: Input, *, may_end: bool) -> None:
    """The payment itself, proof of its object, the answer to our own last cancel, a release."""
    assert may_end_wait(PAYMENT, input_) is may_end

"""An operator's release of a payment that is not quarantined."""

import pytest

from domain.decide import decide
from domain.inputs import Input, Release
from domain.status import Outcome
from tests.domain.histories.builders import EXPIRY, PAYMENT, at
from tests.domain.histories.situations import SITUATIONS, payment_that_is

_RELEASE = Input("rel_1", at(EXPIRY), Release())


@pytest.mark.parametrize("situation", [None, *SITUATIONS])
def test_it_changes_nothing_and_says_so(situation: str | None) -> None:
    """It is rejected in any state, and also if there is no such payment."""
    payment = payment_that_is(situation) if situation is not None else None
    decision = decide(payment, _RELEASE, PAYMENT)
    assert (decision.outcome, decision.reason) == (
        Outcome.REJECTED,
        "the payment is not quarantined",
    )
    assert decision.payment is payment

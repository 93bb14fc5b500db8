"""Who cancelled a payment's object, as one report of the cancel says it."""

import pytest

from domain.facts.cancels import cause_of
from domain.status import CancelCause
from tests.domain.histories.builders import PAYMENT, canceled, key


@pytest.mark.parametrize(
    ("caused_by", "cause"),
    [
        (key("cancel:1"), CancelCause.REQUESTED),
        (key("cancel:exhausted"), CancelCause.ATTEMPTS_EXHAUSTED),
        (key("cancel:exhausted.1"), CancelCause.ATTEMPTS_EXHAUSTED),
        (key("capture:1"), CancelCause.PROVIDER),
        (key("create"), CancelCause.PROVIDER),
        (key("cancel:1").replace(PAYMENT, "pay_" + "b" * 30), CancelCause.PROVIDER),
        ("a key of somebody else", CancelCause.PROVIDER),
        (None, CancelCause.PROVIDER),
    ],
)
def test_only_a_cancel_of_ours_cancels_for_us(caused_by: str | None, cause: CancelCause) -> None:
    """Another call of ours did not ask for it, so it is the provider that cancelled."""
    assert cause_of(PAYMENT, canceled(9, CancelCause.PROVIDER, caused_by=caused_by)) is cause


def test_a_report_that_names_no_cause_has_none() -> None:
    """Such as a look-up."""
    assert cause_of(PAYMENT, canceled(9, None)) is None

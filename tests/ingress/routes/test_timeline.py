"""A payment's timeline contains no other payment's ID and no internal error."""

import pytest

from ingress.routes.timeline import timeline
from postgres.timeline import Call, CurrentStatus, History, InputOutcome
from schemas import identity
from tests.ingress.harness import NOW

PAYMENT_ID, OTHER_ID = (
    identity.payment_id("acme", "order-1"),
    identity.payment_id("globex", "order-2"),
)


def entry(outcome: str, reason: str) -> InputOutcome:
    """Returns an input with this outcome and reason."""
    return InputOutcome(
        event_id="evt_1",
        kind="any",
        outcome=outcome,
        reason=reason,
        version=None,
        topic="provider-webhooks",
        partition=0,
        offset=0,
        received_at=NOW,
        recorded_at=NOW,
        source=None,
        target=None,
    )


def history(*entries: InputOutcome, last_error: str | None = None) -> History:
    """Returns the stored history of a payment with one call."""
    call = Call(
        operation="create",
        key=f"{PAYMENT_ID}:create",
        state="due",
        attempts=1,
        outcome=None,
        last_error=last_error,
        next_attempt_at=NOW,
        created_at=NOW,
        done_at=None,
    )
    return History(CurrentStatus("CREATED", 1, None, None), entries, (call,))


@pytest.mark.parametrize("outcome", ["conflict", "rejected", "applied", "ignored", "parked"])
def test_no_reason_names_another_payment(outcome: str) -> None:
    """The payment's own ID stays in the reason; any other ID is removed."""
    stored = history(entry(outcome, f"{PAYMENT_ID} is not {OTHER_ID}, nor ({OTHER_ID}:refund:1)"))
    (shown,) = timeline(PAYMENT_ID, stored).entries
    assert PAYMENT_ID in shown.reason
    assert OTHER_ID not in shown.reason
    assert OTHER_ID[4:] not in shown.reason


def test_an_internal_error_is_not_shown() -> None:
    """A quarantined input's reason mentions the operator, but not our own error."""
    (shown,) = timeline(PAYMENT_ID, history(entry("quarantined", "KeyError: 'private'"))).entries
    assert "private" not in shown.reason
    assert "operator" in shown.reason


def test_no_calls_error_names_another_payment() -> None:
    """Other IDs are removed from the provider's error text."""
    (call,) = timeline(PAYMENT_ID, history(last_error=f"{OTHER_ID} has it, {PAYMENT_ID} not")).calls
    assert call.last_error is not None
    assert OTHER_ID not in call.last_error
    assert PAYMENT_ID in call.last_error
    assert call.key == f"{PAYMENT_ID}:create"

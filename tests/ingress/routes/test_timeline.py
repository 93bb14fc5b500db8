"""What a tenant reads of its payment's history names nothing of anybody else's."""

import pytest

from ingress.routes.timeline import timeline
from postgres.reads import Call, Entry, History, Standing
from schemas import identity
from tests.ingress.harness import NOW

OURS, THEIRS = identity.payment_id("acme", "order-1"), identity.payment_id("globex", "order-2")


def entry(outcome: str, reason: str) -> Entry:
    """An input that became this, for this reason."""
    return Entry(
        "evt_1", "any", outcome, reason, None, "provider-webhooks", 0, 0, NOW, NOW, None, None
    )


def history(*entries: Entry, last_error: str | None = None) -> History:
    """The stored history of one payment with one call."""
    call = Call("create", f"{OURS}:create", "due", 1, None, last_error, NOW, NOW, None)
    return History(Standing("CREATED", 1, None, None), entries, (call,))


@pytest.mark.parametrize("outcome", ["conflict", "rejected", "applied", "ignored", "parked"])
def test_no_reason_names_another_payment(outcome: str) -> None:
    """Whatever was stored as the reason: the payment's own ID stays, any other does not."""
    said = history(entry(outcome, f"{OURS} is not {THEIRS}, nor ({THEIRS}:refund:1)"))
    (shown,) = timeline(OURS, said).entries
    assert OURS in shown.reason
    assert THEIRS not in shown.reason
    assert THEIRS[4:] not in shown.reason


def test_an_error_of_ours_is_not_for_a_tenant() -> None:
    """A quarantined input says that an operator has to look, not what our code stumbled over."""
    (shown,) = timeline(OURS, history(entry("quarantined", "KeyError: 'private'"))).entries
    assert "private" not in shown.reason
    assert "operator" in shown.reason


def test_no_calls_error_names_another_payment() -> None:
    """The provider's own words about a call may."""
    (call,) = timeline(OURS, history(last_error=f"{THEIRS} has it, {OURS} not")).calls
    assert call.last_error is not None
    assert THEIRS not in call.last_error
    assert OURS in call.last_error
    assert call.key == f"{OURS}:create"

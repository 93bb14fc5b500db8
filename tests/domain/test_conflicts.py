"""What contradicts a payment is a conflict: never applied, never dropped, the payment unchanged."""

import pytest
from msgspec.structs import replace

from domain.inputs import CallResult, Fact
from domain.status import CancelCause, DisputeStatus, Outcome, ProviderStatus, RefundStatus
from tests.domain.histories.builders import (
    acknowledged,
    create,
    dispute_said,
    failed,
    key,
    our_refund_said,
    received,
    refund,
    refund_said,
    refused,
    said,
)
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import SITUATIONS, replay_until

SUCCEEDED, CANCELED = ProviderStatus.SUCCEEDED, ProviderStatus.CANCELED
_PAID = said(SUCCEEDED, 20)
_CANCELED = said(CANCELED, 20, cancel_cause=CancelCause.PROVIDER)
_REFUNDED = refund_said("re_9", RefundStatus.SUCCEEDED, 20, 100)
_DISPUTED = dispute_said("dp_9", DisputeStatus.LOST, 20)
_OTHER_ACKNOWLEDGED = replace(acknowledged(), object_id="obj_other")

#: Situation, what comes, what the reason must name.
_CASES: list[tuple[str, Fact | CallResult, str]] = [
    ("processing", replace(_PAID, object_id="obj_other"), "obj_other"),
    ("succeeded", replace(_REFUNDED, object_id="obj_other"), "obj_other"),
    ("succeeded", replace(_DISPUTED, object_id="obj_other"), "obj_other"),
    ("processing", replace(_PAID, currency="USD"), "USD"),
    ("succeeded", replace(_REFUNDED, currency="USD"), "USD"),
    ("processing", replace(_PAID, amount=999), "9.99 EUR"),
    ("processing", replace(_PAID, captured=1001), "10.01 EUR"),
    ("processing", replace(_PAID, captured=-1), "-0.01 EUR"),
    ("succeeded", replace(_REFUNDED, amount=1001), "10.01 EUR"),
    ("refund of 700 pending", our_refund_said("re_0", RefundStatus.SUCCEEDED, 20, 600), "6.00 EUR"),
    ("succeeded", _CANCELED, "canceled"),
    ("succeeded", replace(_PAID, captured=900), "9.00 EUR"),
    ("canceled", _PAID, "succeeded"),
    ("canceled", replace(_CANCELED, cancel_cause=CancelCause.ATTEMPTS_EXHAUSTED), "canceled"),
    ("failed", _PAID, "succeeded"),
    ("failed", _CANCELED, "canceled"),
    ("create refused", said(ProviderStatus.OPEN, 20), "refused to create"),
    ("create refused", _PAID, "refused to create"),
    ("create refused", _REFUNDED, "refused to create"),
    ("create refused", _DISPUTED, "refused to create"),
    ("create refused", acknowledged(), "refused to create"),
    ("succeeded", acknowledged("refund:re_9"), key("refund:re_9")),
    ("created", acknowledged("confirm:2"), key("confirm:2")),
    ("succeeded", refused("refund:re_unheard"), key("refund:re_unheard")),
]


@pytest.mark.parametrize(("situation", "body", "named"), _CASES)
def test_a_contradiction_changes_nothing_and_names_what_is_wrong(
    situation: str, body: Fact | CallResult, named: str
) -> None:
    """Another's object, another amount, a second end: the payment is as before, to the bit."""
    replay = replay_until(situation)
    before = replay.existing
    for _ in range(2):
        decision = replay.deliver(received(body))
        assert decision.outcome is Outcome.CONFLICT
        assert named in decision.reason
        assert replay.existing == before


@pytest.mark.parametrize("status", [ProviderStatus.PENDING, SUCCEEDED])
@pytest.mark.parametrize(
    ("answer", "named"), [(_OTHER_ACKNOWLEDGED, "obj_other"), (refused("create"), "obj_1 exists")]
)
def test_an_answer_that_contradicts_the_proven_object_is_a_conflict(
    status: ProviderStatus, answer: CallResult, named: str
) -> None:
    """An event has echoed our key before: the answer names another object, or refuses."""
    proof = said(status, 3, caused_by=key("create"))
    replay = Replay([received(create()), received(proof)])
    before = replay.existing
    decision = replay.deliver(received(answer))
    assert (decision.outcome, replay.existing) == (Outcome.CONFLICT, before)
    assert named in decision.reason


@pytest.mark.parametrize("situation", [s for s in SITUATIONS if s != "create refused"])
def test_the_proven_object_is_the_payments_for_good(situation: str) -> None:
    """Once an answer or an event of our call names it, another object's facts are conflicts."""
    replay = replay_until(situation)
    replay.deliver(received(failed("at_9", 1, caused_by=key("create"))))
    other = said(ProviderStatus.PENDING, 90, object_id="obj_other")
    assert replay.deliver(received(other)).outcome is Outcome.CONFLICT


def test_a_disputed_amount_may_exceed_the_payment() -> None:
    """Exchange rates move: a dispute over more than was paid is a dispute, not a conflict."""
    replay = replay_until("succeeded")
    assert replay.deliver(received(replace(_DISPUTED, amount=1010))).outcome is Outcome.APPLIED


@pytest.mark.parametrize("captured", [1000, 600])
def test_refunds_told_early_never_stand_in_the_way_of_success(captured: int) -> None:
    """Whatever is known of refunds, the word that the money was captured is taken in."""
    replay = replay_until("processing")
    for refund_id in ("re_1", "re_2"):
        replay.deliver(received(refund_said(refund_id, RefundStatus.SUCCEEDED, 9, 700)))
    assert replay.deliver(received(replace(_PAID, captured=captured))).outcome is Outcome.APPLIED


def test_a_refund_of_another_amount_than_asked_is_a_conflict_in_either_order() -> None:
    """We asked for 400, the provider says 300: somebody has to look, whichever is read first."""
    said_otherwise = received(our_refund_said("re_1", RefundStatus.SUCCEEDED, 9, 300))
    asked_first = replay_until("succeeded")
    asked_first.deliver(received(refund("re_1", 400)))
    assert asked_first.deliver(said_otherwise).outcome is Outcome.CONFLICT
    told_first = replay_until("succeeded")
    told_first.deliver(said_otherwise)
    assert told_first.deliver(received(refund("re_1", 400))).outcome in {
        Outcome.CONFLICT,
        Outcome.REJECTED,
    }

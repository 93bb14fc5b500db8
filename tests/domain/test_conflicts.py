"""A contradiction is a conflict: it is recorded, and the payment is unchanged."""

import pytest
from msgspec.structs import replace

from domain.inputs import CallResult, Fact
from domain.status import CancelCause, DisputeStatus, Outcome, ProviderStatus, RefundStatus
from domain.view import refundable, snapshot
from tests.domain.histories.builders import (
    acknowledged,
    canceled,
    create,
    dispute_fact,
    failed,
    key,
    payment_fact,
    received,
    refund,
    refund_fact,
    refused,
    requested_refund_fact,
)
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import SITUATIONS, replay_until

SUCCEEDED, CANCELED = ProviderStatus.SUCCEEDED, ProviderStatus.CANCELED
_PAID = payment_fact(SUCCEEDED, 20)
_CANCELED = canceled(20, CancelCause.PROVIDER)
_REFUNDED = refund_fact("re_9", RefundStatus.SUCCEEDED, 20, 100)
_DISPUTED = dispute_fact("dp_9", DisputeStatus.LOST, 20)
_OTHER_ACKNOWLEDGED = replace(acknowledged(), object_id="obj_other")

#: The situation, the input, and what the reason must name.
_CASES: list[tuple[str, Fact | CallResult, str]] = [
    ("processing", replace(_PAID, object_id="obj_other"), "obj_other"),
    ("succeeded", replace(_REFUNDED, object_id="obj_other"), "obj_other"),
    ("succeeded", replace(_DISPUTED, object_id="obj_other"), "obj_other"),
    ("processing", replace(_PAID, currency="USD"), "USD"),
    ("succeeded", replace(_REFUNDED, currency="USD"), "USD"),
    ("processing", replace(_PAID, captured=-1), "-0.01 EUR"),
    (
        "refund of 700 pending",
        requested_refund_fact("re_0", RefundStatus.SUCCEEDED, 20, 600),
        "6.00 EUR",
    ),
    ("succeeded", _CANCELED, "canceled"),
    ("succeeded", replace(_PAID, captured=900), "9.00 EUR"),
    ("canceled", _PAID, "succeeded"),
    ("failed", _PAID, "succeeded"),
    ("failed", _CANCELED, "canceled"),
    ("create refused", payment_fact(ProviderStatus.OPEN, 20), "refused to create"),
    ("create refused", _PAID, "refused to create"),
    ("create refused", _REFUNDED, "refused to create"),
    ("create refused", _DISPUTED, "refused to create"),
    ("create refused", acknowledged(), "refused to create"),
    ("succeeded", acknowledged("refund:re_9"), key("refund:re_9")),
    ("created", acknowledged("confirm:2"), key("confirm:2")),
    ("succeeded", refused("refund:re_unknown"), key("refund:re_unknown")),
]


@pytest.mark.parametrize(("situation", "body", "named"), _CASES)
def test_a_contradiction_changes_nothing_and_names_what_is_wrong(
    situation: str, body: Fact | CallResult, named: str
) -> None:
    """Such as another object, another amount, a second end: the payment stays identical."""
    replay = replay_until(situation)
    before = replay.existing
    for _ in range(2):
        decision = replay.deliver(received(body))
        assert decision.outcome is Outcome.CONFLICT
        assert named in decision.reason
        assert replay.existing == before


def test_a_cancel_by_somebody_contradicts_the_answer_that_it_was_ours() -> None:
    """The known report of the cancel does not say whose it was; the answer to our own did."""
    bodies = (create(), acknowledged(), failed("at_1", 2), acknowledged("cancel:exhausted"))
    replay = Replay([received(body) for body in (*bodies, canceled(9, None))])
    before = replay.existing
    decision = replay.deliver(received(_CANCELED))
    assert (decision.outcome, replay.existing) == (Outcome.CONFLICT, before)
    assert decision.reason.endswith("(evt_canceled_9) is final")


@pytest.mark.parametrize("status", [ProviderStatus.PENDING, SUCCEEDED])
@pytest.mark.parametrize(
    ("answer", "named"), [(_OTHER_ACKNOWLEDGED, "obj_other"), (refused("create"), "obj_1 exists")]
)
def test_a_result_that_contradicts_the_proven_object_is_a_conflict(
    status: ProviderStatus, answer: CallResult, named: str
) -> None:
    """An event echoed our key, then the result names another object or is a refusal."""
    proof = payment_fact(status, 3, caused_by=key("create"))
    replay = Replay([received(create()), received(proof)])
    before = replay.existing
    decision = replay.deliver(received(answer))
    assert (decision.outcome, replay.existing) == (Outcome.CONFLICT, before)
    assert named in decision.reason


@pytest.mark.parametrize("situation", [s for s in SITUATIONS if s != "create refused"])
def test_the_proven_object_is_the_payments_for_good(situation: str) -> None:
    """After a result or an event proved the object, another object's facts are conflicts."""
    replay = replay_until(situation)
    replay.deliver(received(failed("at_9", 1, caused_by=key("create"))))
    other = payment_fact(ProviderStatus.PENDING, 90, object_id="obj_other")
    assert replay.deliver(received(other)).outcome is Outcome.CONFLICT


def test_a_disputed_amount_may_exceed_the_payment() -> None:
    """Exchange rates move, so a dispute over more than was paid is not a conflict."""
    replay = replay_until("succeeded")
    assert replay.deliver(received(replace(_DISPUTED, amount=1010))).outcome is Outcome.APPLIED


@pytest.mark.parametrize("captured", [1000, 600])
def test_refunds_reported_early_never_block_a_success(captured: int) -> None:
    """The fact that the money was captured is applied, also if the refunds exceed the amount."""
    replay = replay_until("processing")
    for refund_id in ("re_1", "re_2"):
        replay.deliver(received(refund_fact(refund_id, RefundStatus.SUCCEEDED, 9, 700)))
    assert replay.deliver(received(replace(_PAID, captured=captured))).outcome is Outcome.APPLIED


def test_a_refund_of_another_amount_than_our_answer_says_is_a_conflict_in_either_order() -> None:
    """The client requested 400, and the refund that the provider made for it is of 300."""
    other_amount = received(refund_fact("made_re_1", RefundStatus.SUCCEEDED, 9, 300))
    answer = received(acknowledged("refund:re_1"))
    for first, second in ((other_amount, answer), (answer, other_amount)):
        replay = replay_until("succeeded")
        replay.deliver(received(refund("re_1", 400)))
        assert replay.deliver(first).outcome is Outcome.APPLIED
        assert replay.deliver(second).outcome is Outcome.CONFLICT


def test_a_refund_of_another_amount_under_our_key_is_somebody_elses_in_either_order() -> None:
    """Both count, whichever was read first: the one of 300, and the requested one of 400."""
    fact = requested_refund_fact("re_1", RefundStatus.SUCCEEDED, 9, 300, claims=None)
    other_amount = received(fact)
    asked = received(refund("re_1", 400))
    for order in ((other_amount, asked), (asked, other_amount)):
        replay = replay_until("succeeded")
        assert {replay.deliver(each).outcome for each in order} == {Outcome.APPLIED}
        assert [(r.id, r.amount) for r in snapshot(replay.existing).refunds] == [
            ("made_re_1", 300),
            ("re_1", 400),
        ]
        assert refundable(replay.existing) == 300

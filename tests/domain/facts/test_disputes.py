"""Disputes beside a payment: which fact counts, what moved, and what is left to refund."""

from typing import Any

import pytest

from domain.facts import disputes
from domain.inputs import DisputeFact, FraudWarningFact, Movement
from domain.status import DisputeStatus, MovementKind, Outcome
from domain.view import has_open_matter, refundable, snapshot
from tests.domain.histories.builders import (
    adjusted,
    at,
    dispute_fact,
    fraud_warning,
    received,
    refund,
    reinstated,
    withdrawn,
)
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import replay_until

_NEEDS, _REVIEW = DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW
_LOST, _WON = DisputeStatus.LOST, DisputeStatus.WON
_INQUIRY = (
    DisputeStatus.WARNING_NEEDS_RESPONSE,
    DisputeStatus.WARNING_UNDER_REVIEW,
    DisputeStatus.WARNING_CLOSED,
)


def _after(*facts: DisputeFact) -> Replay:
    story = replay_until("succeeded")
    for fact in facts:
        story.deliver(received(fact))
    return story


def _status(*facts: DisputeFact) -> DisputeStatus:
    (published,) = snapshot(_after(*facts).existing).disputes
    return published.status


@pytest.mark.parametrize("end", sorted(disputes.DECIDED))
@pytest.mark.parametrize("second", [8, 9, 10])
def test_only_an_appeal_opens_a_decided_dispute(end: DisputeStatus, second: int) -> None:
    """A chargeback's own facts don't, whatever their times and their order of arrival."""
    decided, late = dispute_fact("dis_1", end, 9), dispute_fact("dis_1", _NEEDS, second)
    assert _status(decided, late) is _status(late, decided) is end


@pytest.mark.parametrize("end", [DisputeStatus.LOST, DisputeStatus.PREVENTED])
@pytest.mark.parametrize("appealed", [_NEEDS, _REVIEW])
def test_an_appeal_opens_a_decided_dispute_again(
    end: DisputeStatus, appealed: DisputeStatus
) -> None:
    """Also if it is reported in the second of the decision; an older one does not."""
    decided = dispute_fact("dis_1", end, 9)
    for second, status in ((8, end), (9, appealed), (10, appealed)):
        appeal = dispute_fact("dis_1", appealed, second, appeal=True)
        assert _status(decided, appeal) is _status(appeal, decided) is status


@pytest.mark.parametrize("inquiry", _INQUIRY)
def test_an_inquiry_becomes_a_chargeback(inquiry: DisputeStatus) -> None:
    """Closed or not, at any times and in any order of arrival."""
    for second in (8, 9, 10):
        one, other = dispute_fact("dis_1", inquiry, second), dispute_fact("dis_1", _NEEDS, 9)
        assert _status(one, other) is _status(other, one) is _NEEDS


def test_a_deadline_is_shown_while_a_response_is_needed() -> None:
    """One of a closed dispute would make somebody act in vain."""
    for status in DisputeStatus:
        fact = dispute_fact("dis_1", status, 9, respond_by=at(99))
        (published,) = snapshot(_after(fact).existing).disputes
        is_needed = status in {_NEEDS, DisputeStatus.WARNING_NEEDS_RESPONSE}
        assert published.respond_by == (at(99) if is_needed else None)


def test_a_dispute_in_another_currency_is_shown() -> None:
    """It is about this payment's object; the bank chose the currency."""
    story = replay_until("succeeded")
    decision = story.deliver(received(dispute_fact("dis_1", _NEEDS, 9, currency="USD", amount=7)))
    assert decision.outcome is Outcome.APPLIED
    (published,) = snapshot(story.existing).disputes
    assert (published.amount, published.currency) == (7, "USD")


def test_money_is_added_up_by_currency_and_kind() -> None:
    """A correction is not a reinstatement, and another currency's amount is not the payment's."""
    moved = (
        withdrawn("mv_1", 6680, "USD"), adjusted("mv_2", 15, "USD"), adjusted("mv_3", -20, "USD"),
        reinstated("mv_4", 70, "EUR"), withdrawn("mv_5", 100, "EUR"),
    )  # fmt: skip
    (published,) = snapshot(
        _after(dispute_fact("dis_1", _NEEDS, 9, movements=moved)).existing
    ).disputes
    assert [(f.currency, f.withdrawn, f.reinstated, f.adjusted) for f in published.funds] == [
        ("EUR", 100, 70, 0),
        ("USD", 6680, 0, -5),
    ]


def test_one_movement_in_two_renderings_is_one() -> None:
    """Which of them is kept does not depend on the order of arrival."""
    one, other = Movement("mv_1", 5, "EUR", MovementKind.WITHDRAWN), withdrawn("mv_1", 7)
    assert disputes.add_movements((one,), (other,)) == disputes.add_movements((other,), (one,))


_OUT_USD, _BACK_USD = withdrawn("mv_1", 1089, "USD"), reinstated("mv_2", 1070, "USD")


@pytest.mark.parametrize(
    ("movements", "changes", "left"),
    [
        ((), {}, 1000),
        ((withdrawn("mv_1", 400),), {}, 600),
        ((withdrawn("mv_1", 400), adjusted("mv_2", 30)), {}, 630),
        ((withdrawn("mv_1", 400), reinstated("mv_2", 400)), {}, 1000),
        ((withdrawn("mv_1", 400), reinstated("mv_2", 450)), {}, 1000),
        ((withdrawn("mv_1", 1400),), {}, 0),
        # in another currency: all that is disputed, until it is won and was reinstated
        ((_OUT_USD,), {"amount": 300}, 700),
        ((_OUT_USD, adjusted("mv_3", 1089, "USD")), {"amount": 300}, 700),
        ((_OUT_USD, _BACK_USD), {"amount": 300}, 700),
        ((_OUT_USD,), {"amount": 300, "status": _WON}, 700),
        ((_OUT_USD, _BACK_USD), {"amount": 300, "status": _WON}, 1000),
        # or as much was reinstated and adjusted
        ((_OUT_USD, _BACK_USD, adjusted("mv_3", 18, "USD")), {"amount": 300}, 700),
        ((_OUT_USD, _BACK_USD, adjusted("mv_3", 19, "USD")), {"amount": 300}, 1000),
        ((_OUT_USD, reinstated("mv_2", 1089, "USD")), {"amount": 300, "status": _LOST}, 1000),
        # a part is returned after a loss, and what it is in the payment's currency is not known
        ((_OUT_USD, reinstated("mv_2", 330, "USD")), {"status": _LOST}, 0),
        ((_OUT_USD, reinstated("mv_2", 2000, "CHF")), {"amount": 300, "status": _LOST}, 700),
        # a correction of nothing that was withdrawn holds nothing
        ((adjusted("mv_3", -20, "USD"),), {"amount": 300}, 1000),
        ((_OUT_USD, _BACK_USD, withdrawn("mv_3", 9, "USD")), {"amount": 300}, 700),
        ((_OUT_USD,), {"amount": 300, "currency": "USD"}, 0),
        # in both: what is known, and all that is disputed
        ((_OUT_USD, withdrawn("mv_3", 200)), {"amount": 300}, 500),
    ],
)
def test_what_disputes_withdrew_can_not_be_refunded(
    movements: tuple[Movement, ...], changes: dict[str, Any], left: int
) -> None:
    """Too little may be refunded while the amount is not known, never too much."""
    changes = {"status": _REVIEW, "movements": movements, **changes}
    fact = dispute_fact("dis_1", second=9, **changes)
    story = _after(fact)
    assert refundable(story.existing) == left
    decision = story.deliver(received(refund("re_0", left + 1)))
    assert decision.outcome is Outcome.REJECTED
    assert ("disputes have withdrawn" in decision.reason) is (left < 1000)
    if left:
        assert story.deliver(received(refund("re_1", left))).outcome is Outcome.APPLIED


def test_a_dispute_of_what_was_refunded_leaves_nothing() -> None:
    """The amount that is left is never negative."""
    story = replay_until("succeeded")
    story.deliver(received(refund("re_0", 700)))
    story.deliver(received(dispute_fact("dis_1", _NEEDS, 9, movements=(withdrawn("mv_1"),))))
    assert refundable(story.existing) == 0
    assert "0.00 EUR is left" in story.deliver(received(refund("re_1", 1))).reason


def test_a_warning_is_published_and_its_older_fact_is_stale() -> None:
    """The reason names both facts."""
    story = replay_until("succeeded")
    story.deliver(received(fraud_warning("fw_1", 20, actionable=False)))
    decision = story.deliver(received(fraud_warning("fw_1", 10)))
    assert decision.outcome is Outcome.STALE
    for word in ("evt_fw_1_True_10", "evt_fw_1_False_20", "not actionable"):
        assert word in decision.reason
    (published,) = snapshot(story.existing).fraud_warnings
    assert (published.id, published.type, published.actionable) == ("fw_1", "misc", False)


@pytest.mark.parametrize(
    ("fact", "is_open"),
    [
        (dispute_fact("dp_1", DisputeStatus.NEEDS_RESPONSE, 9), True),
        (dispute_fact("dp_1", DisputeStatus.WARNING_NEEDS_RESPONSE, 9), True),
        (dispute_fact("dp_1", DisputeStatus.UNDER_REVIEW, 9), False),
        (dispute_fact("dp_1", DisputeStatus.LOST, 9), False),
        (fraud_warning("fw_1", 9), True),
        (fraud_warning("fw_1", 9, actionable=False), False),
    ],
)
def test_what_can_still_be_answered_is_an_open_matter(
    fact: DisputeFact | FraudWarningFact, *, is_open: bool
) -> None:
    """A dispute that needs a response, or a warning that a refund may still answer."""
    replay = replay_until("succeeded")
    assert not has_open_matter(snapshot(replay.existing))
    replay.deliver(received(fact))
    assert has_open_matter(snapshot(replay.existing)) is is_open

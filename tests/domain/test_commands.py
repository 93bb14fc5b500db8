"""Every command in every state: accepted, or rejected with a reason that says what is needed."""

from typing import Any

import pytest
from msgspec.structs import replace

from domain.decide import decide
from domain.inputs import Command, Input, RefundFact
from domain.money import format_amount
from domain.status import Outcome, RefundStatus, Status
from domain.view import snapshot
from tests.domain.histories.builders import (
    CURRENCY,
    EXPIRY,
    PAYMENT,
    acknowledged,
    cancel,
    capture,
    confirm,
    create,
    received,
    refund,
    refund_fact,
    refused,
    requested_refund_fact,
)
from tests.domain.histories.situations import SITUATIONS, payment_that_is, replay_until

ACCEPTED = ""
IN_FLIGHT, CANCELLING = "already in progress", "being cancelled"
NEEDS_ACTION, NEEDS_AUTHORIZED = (
    "needs a payment in REQUIRES_ACTION",
    "needs a payment in AUTHORIZED",
)
NEEDS_SUCCESS, CUSTOMER = "needs a payment in SUCCEEDED", "the customer has to act first"
FINAL, NOT_EXPIRING = "is final", "only REQUIRES_ACTION expires"

_COMMANDS: dict[str, Input] = {
    "confirm": received(confirm()),
    "capture": received(capture(500)),
    "cancel": received(cancel()),
    "expire": received(cancel("op_expire", expired=True), EXPIRY),
    "refund": received(refund("re_1", 300)),
}

#: By situation: the reason that rejects confirm, capture, cancel, expire and refund.
_REASONS: dict[str, tuple[str, str, str, str, str]] = {
    "created": (NEEDS_ACTION, NEEDS_AUTHORIZED, ACCEPTED, NOT_EXPIRING, NEEDS_SUCCESS),
    "processing": (NEEDS_ACTION, NEEDS_AUTHORIZED, ACCEPTED, NOT_EXPIRING, NEEDS_SUCCESS),
    "processing, cancelling": (
        NEEDS_ACTION,
        NEEDS_AUTHORIZED,
        IN_FLIGHT,
        IN_FLIGHT,
        NEEDS_SUCCESS,
    ),
    "attempts used up": (NEEDS_ACTION, NEEDS_AUTHORIZED, ACCEPTED, NOT_EXPIRING, NEEDS_SUCCESS),
    "customer awaited": (CUSTOMER, NEEDS_AUTHORIZED, ACCEPTED, ACCEPTED, NEEDS_SUCCESS),
    "card awaited": (ACCEPTED, NEEDS_AUTHORIZED, ACCEPTED, ACCEPTED, NEEDS_SUCCESS),
    "card awaited, cancelling": (
        CANCELLING,
        NEEDS_AUTHORIZED,
        IN_FLIGHT,
        IN_FLIGHT,
        NEEDS_SUCCESS,
    ),
    "next attempt begun": (NEEDS_ACTION, NEEDS_AUTHORIZED, ACCEPTED, NOT_EXPIRING, NEEDS_SUCCESS),
    "next attempt refused": (ACCEPTED, NEEDS_AUTHORIZED, ACCEPTED, ACCEPTED, NEEDS_SUCCESS),
    "authorized": (NEEDS_ACTION, ACCEPTED, ACCEPTED, NOT_EXPIRING, NEEDS_SUCCESS),
    "authorized, capturing": (NEEDS_ACTION, IN_FLIGHT, ACCEPTED, NOT_EXPIRING, NEEDS_SUCCESS),
    "authorized, capture refused": (NEEDS_ACTION, ACCEPTED, ACCEPTED, NOT_EXPIRING, NEEDS_SUCCESS),
    "authorized, cancelling": (NEEDS_ACTION, CANCELLING, IN_FLIGHT, IN_FLIGHT, NEEDS_SUCCESS),
    "succeeded": (NEEDS_ACTION, NEEDS_AUTHORIZED, FINAL, FINAL, ACCEPTED),
    "succeeded in part": (NEEDS_ACTION, NEEDS_AUTHORIZED, FINAL, FINAL, ACCEPTED),
    "refund of 700 pending": (NEEDS_ACTION, NEEDS_AUTHORIZED, FINAL, FINAL, ACCEPTED),
    "refund of 700 failed": (NEEDS_ACTION, NEEDS_AUTHORIZED, FINAL, FINAL, ACCEPTED),
    "refunded": (NEEDS_ACTION, NEEDS_AUTHORIZED, FINAL, FINAL, "0.00 EUR is left"),
    "failed": (NEEDS_ACTION, NEEDS_AUTHORIZED, FINAL, FINAL, NEEDS_SUCCESS),
    "create refused": (NEEDS_ACTION, NEEDS_AUTHORIZED, FINAL, FINAL, NEEDS_SUCCESS),
    "canceled": (NEEDS_ACTION, NEEDS_AUTHORIZED, FINAL, FINAL, NEEDS_SUCCESS),
}
_CASES = [
    (situation, command, reason)
    for situation, reasons in _REASONS.items()
    for command, reason in zip(_COMMANDS, reasons, strict=True)
]

every_situation = pytest.mark.parametrize("situation", SITUATIONS)


def test_the_table_has_every_situation_and_every_state() -> None:
    """The table has every situation, and the situations have every state."""
    assert _REASONS.keys() == SITUATIONS.keys()
    assert {payment_that_is(situation).status for situation in SITUATIONS} == set(Status)


@pytest.mark.parametrize(("situation", "command", "reason"), _CASES)
def test_a_command_is_accepted_or_rejected_with_what_it_needs(
    situation: str, command: str, reason: str
) -> None:
    """A state that forbids a command rejects it, and the reason names what is needed."""
    decision = replay_until(situation).deliver(_COMMANDS[command])
    assert decision.outcome is (Outcome.REJECTED if reason else Outcome.APPLIED), decision.reason
    assert reason in decision.reason
    if reason.startswith("needs"):
        assert payment_that_is(situation).status in decision.reason


@every_situation
def test_a_retry_of_an_accepted_command_is_a_duplicate(situation: str) -> None:
    """The same operation with the same body has no second effect."""
    for command in _COMMANDS.values():
        replay = replay_until(situation)
        if replay.deliver(command).outcome is Outcome.APPLIED:
            assert replay.deliver(command).outcome is Outcome.DUPLICATE


@every_situation
def test_another_body_under_a_used_key_is_rejected(situation: str) -> None:
    """An operation's key belongs to one body for ever, the create's too."""
    replay = replay_until(situation)
    for body in SITUATIONS[situation]:
        if isinstance(body, Command):
            decision = replay.deliver(received(replace(body, fingerprint="fp_other")))
            assert decision.outcome is Outcome.REJECTED
            assert "Idempotency-Key" in decision.reason
            assert replay.deliver(received(body)).outcome is Outcome.DUPLICATE


@every_situation
def test_another_create_of_the_same_payment_is_rejected(situation: str) -> None:
    """A payment is created once."""
    decision = replay_until(situation).deliver(received(create(operation_id="op_other")))
    assert decision.outcome is Outcome.REJECTED
    assert "exists" in decision.reason


@every_situation
def test_for_another_tenant_there_is_no_such_payment(situation: str) -> None:
    """A client learns nothing about another tenant's payment, in any state."""
    replay = replay_until(situation)
    for command in _COMMANDS.values():
        assert isinstance(command.body, Command)
        foreign = replace(command.body, tenant="another_shop")
        decision = replay.deliver(received(foreign))
        assert (decision.outcome, decision.reason) == _as_if_there_were_none(foreign)


def _as_if_there_were_none(command: Command) -> tuple[Outcome, str]:
    decision = decide(None, received(command), PAYMENT)
    assert decision.payment is None
    assert decision.outcome is Outcome.REJECTED
    return decision.outcome, decision.reason


@pytest.mark.parametrize("amount", [1001, 0, -1])
def test_no_more_can_be_captured_than_was_authorized(amount: int) -> None:
    """A capture is above zero and at most the whole amount; the reason names the limit."""
    decision = replay_until("authorized").deliver(received(capture(amount)))
    assert decision.outcome is Outcome.REJECTED
    assert format_amount(amount, CURRENCY) in decision.reason
    assert "10.00 EUR" in decision.reason


@pytest.mark.parametrize(
    ("situation", "left"),
    [
        ("succeeded", 1000),
        ("succeeded in part", 600),
        ("refund of 700 pending", 300),
        ("refund of 700 failed", 1000),
    ],
)
def test_refunds_may_take_what_is_left_and_no_more(situation: str, left: int) -> None:
    """Pending and succeeded refunds reduce what is left; failed ones don't."""
    for amount in (left + 1, 0, -1):
        decision = replay_until(situation).deliver(received(refund("re_1", amount)))
        assert decision.outcome is Outcome.REJECTED
        assert f"{format_amount(left, CURRENCY)} is left" in decision.reason
    (call,) = replay_until(situation).deliver(received(refund("re_1"))).provider_calls
    assert (call.refund_id, call.amount) == ("re_1", left)
    (call,) = replay_until(situation).deliver(received(refund("re_1", left))).provider_calls
    assert (call.refund_id, call.amount) == ("re_1", left)


@pytest.mark.parametrize(
    "status", [RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION, RefundStatus.SUCCEEDED]
)
def test_a_refund_in_flight_reserves_its_amount(status: RefundStatus) -> None:
    """This also holds while the customer has to act, since the refund may still succeed."""
    story = replay_until("succeeded")
    story.deliver(received(refund("re_0", 700)))
    story.deliver(received(requested_refund_fact("re_0", status, 9, 700)))
    assert "3.00 EUR is left" in story.deliver(received(refund("re_1", 301))).reason
    assert story.deliver(received(refund("re_2", 300))).outcome is Outcome.APPLIED


def test_a_refund_is_requested_once() -> None:
    """The same refund under another operation is rejected, also with another amount."""
    story = replay_until("succeeded")
    story.deliver(received(refund("re_0", 300)))
    decision = story.deliver(received(refund("re_0", 100, operation_id="op_other")))
    assert (decision.outcome, decision.reason) == (Outcome.REJECTED, "this refund already exists")


def test_one_refused_refund_leaves_the_others() -> None:
    """The refused refund's amount is free again; the other refund keeps its amount."""
    story = replay_until("succeeded")
    story.deliver(received(refund("re_0", 700)))
    story.deliver(received(refund("re_1", 300)))
    story.deliver(received(refused("refund:re_1")))
    refunds = {r.id: r.status for r in snapshot(story.existing).refunds}
    assert refunds == {"re_0": RefundStatus.REQUESTED, "re_1": RefundStatus.FAILED}
    assert "3.00 EUR is left" in story.deliver(received(refund("re_2", 301))).reason


@pytest.mark.parametrize("end", [RefundStatus.CANCELED, RefundStatus.FAILED])
def test_a_failed_refund_does_not_become_a_success(end: RefundStatus) -> None:
    """The refund stays failed or canceled, also if the success is the later fact."""
    for second in (8, 10):
        story = replay_until("succeeded")
        story.deliver(received(refund("re_0", 700)))
        story.deliver(received(requested_refund_fact("re_0", end, 9, 700)))
        story.deliver(received(requested_refund_fact("re_0", RefundStatus.SUCCEEDED, second, 700)))
        (published,) = snapshot(story.existing).refunds
        assert published.status is end


def test_nothing_expires_before_its_time() -> None:
    """An early expiry is rejected, and the reason names the right time."""
    early = received(cancel(expired=True), EXPIRY - 1)
    decision = replay_until("customer awaited").deliver(early)
    assert decision.outcome is Outcome.REJECTED
    assert payment_that_is("customer awaited").expires_at.isoformat() in decision.reason


def test_a_refund_reported_before_its_command_is_one_refund() -> None:
    """Topics have no order among them: the refund's webhook may be read before its command."""
    in_order = replay_until("refund of 700 pending")
    reported_first = replay_until("succeeded")
    reported_first.deliver(received(requested_refund_fact("re_0", RefundStatus.PENDING, 9, 700)))
    decision = reported_first.deliver(received(refund("re_0", 700)))
    assert decision.outcome is Outcome.APPLIED
    assert reported_first.existing.refunds == in_order.existing.refunds
    left = reported_first.deliver(received(refund("re_1", 301))).reason
    assert "3.00 EUR is left" in left


@pytest.mark.parametrize(
    ("amount", "status", "asked"),
    [
        (1000, RefundStatus.PENDING, 1000),
        (1000, RefundStatus.FAILED, 1000),
        (999, RefundStatus.SUCCEEDED, None),
        (999, RefundStatus.FAILED, None),
        (0, RefundStatus.SUCCEEDED, None),
    ],
)
def test_a_refund_of_all_is_one_that_was_read_before_only_if_it_is_of_all(
    amount: int, status: RefundStatus, asked: int | None
) -> None:
    """Another amount under its key may be anybody's, so what all is, is not known."""
    replay = replay_until("succeeded")
    replay.deliver(received(requested_refund_fact("re_0", status, 9, amount)))
    decision = replay.deliver(received(refund("re_0")))
    assert [each.amount for each in replay.existing.refunds] == ([] if asked is None else [asked])
    if asked is None:
        assert decision.outcome is Outcome.REJECTED
        assert "refund made_re_0 has this refund's key" in decision.reason
        assert replay.deliver(received(refund("re_1", 1))).outcome is Outcome.APPLIED


def _unproven(refund_id: str, amount: int, **changes: Any) -> RefundFact:
    """A refund at the provider that claims to be a requested one, without proof."""
    fact = refund_fact("made_there", RefundStatus.SUCCEEDED, 9, amount, claims=refund_id)
    return replace(fact, **changes)


def test_an_unproven_refund_counts_in_addition_until_the_response_decides() -> None:
    """Until the response, both count: too little may be refunded, never too much."""
    replay = replay_until("succeeded")
    replay.deliver(received(refund("re_1", 300)))
    replay.deliver(received(_unproven("re_1", 300)))
    assert [r.id for r in snapshot(replay.existing).refunds] == ["re_1"]
    assert snapshot(replay.existing).amounts.refunded == 300
    decision = replay.deliver(received(refund("re_2", 401)))
    assert (decision.outcome, "4.00 EUR is left" in decision.reason) == (Outcome.REJECTED, True)
    decision = replay.deliver(received(refund("re_2")))
    assert decision.outcome is Outcome.REJECTED
    assert "until the provider responds to refund re_1" in decision.reason
    answered = replace(acknowledged("refund:re_1"), object_id="psp_made_there")
    assert replay.deliver(received(answered)).outcome is Outcome.APPLIED
    (published,) = snapshot(replay.existing).refunds
    assert (published.id, published.status) == ("re_1", RefundStatus.SUCCEEDED)
    (call,) = replay.deliver(received(refund("re_3"))).provider_calls
    assert call.amount == 700


def test_a_claim_on_a_refund_that_was_not_requested_is_another_refund() -> None:
    """It is published under its own ID, and a later requested refund is another one."""
    replay = replay_until("succeeded")
    replay.deliver(received(_unproven("re_1", 300)))
    assert [r.id for r in snapshot(replay.existing).refunds] == ["made_there"]
    (call,) = replay.deliver(received(refund("re_1", 700))).provider_calls
    assert call.amount == 700
    replay.deliver(received(acknowledged("refund:re_1")))
    published = {r.id: (r.status, r.amount) for r in snapshot(replay.existing).refunds}
    assert published == {
        "re_1": (RefundStatus.REQUESTED, 700),
        "made_there": (RefundStatus.SUCCEEDED, 300),
    }


@pytest.mark.parametrize("amount", [299, 301])
def test_a_result_that_names_a_refund_of_another_amount_is_a_conflict(amount: int) -> None:
    """It is a conflict in either order."""
    answered = replace(acknowledged("refund:re_1"), object_id="psp_made_there")
    reported = received(_unproven("re_1", amount))
    for one, other in ((reported, received(answered)), (received(answered), reported)):
        replay = replay_until("succeeded")
        replay.deliver(received(refund("re_1", 300)))
        assert replay.deliver(one).outcome is Outcome.APPLIED
        decision = replay.deliver(other)
        assert decision.outcome is Outcome.CONFLICT
        assert format_amount(amount, CURRENCY) in decision.reason


def test_an_acknowledged_refund_reserves_its_amount() -> None:
    """The provider has acknowledged it, and no event has reported it yet."""
    replay = replay_until("succeeded")
    replay.deliver(received(refund("re_1", 300)))
    replay.deliver(received(acknowledged("refund:re_1")))
    assert replay.deliver(received(refund("re_2", 701))).outcome is Outcome.REJECTED
    assert replay.deliver(received(refund("re_3", 700))).outcome is Outcome.APPLIED


def test_a_refund_that_one_call_returned_is_not_another_calls() -> None:
    """An event echoes one call's key, but another call returned the refund: the response counts."""
    replay = replay_until("succeeded")
    for refund_id in ("re_1", "re_2"):
        replay.deliver(received(refund(refund_id, 300)))
    answered = replace(acknowledged("refund:re_1"), object_id="psp_made_re_2")
    replay.deliver(received(answered))
    replay.deliver(received(requested_refund_fact("re_2", RefundStatus.SUCCEEDED, 9, 300)))
    published = {r.id: r.status for r in snapshot(replay.existing).refunds}
    assert published == {"re_1": RefundStatus.SUCCEEDED, "re_2": RefundStatus.REQUESTED}
    assert replay.deliver(received(refund("re_3", 401))).outcome is Outcome.REJECTED


def test_two_results_that_name_one_refund_are_a_conflict() -> None:
    """The provider returned one refund for two calls: the first response counts."""
    replay = replay_until("succeeded")
    for refund_id in ("re_1", "re_2"):
        replay.deliver(received(refund(refund_id, 300)))
    answers = [
        replace(acknowledged(f"refund:{refund_id}"), object_id="psp_one")
        for refund_id in ("re_1", "re_2")
    ]
    assert replay.deliver(received(answers[0])).outcome is Outcome.APPLIED
    decision = replay.deliver(received(answers[1]))
    assert decision.outcome is Outcome.CONFLICT
    assert "psp_one" in decision.reason


def test_a_refused_capture_is_published_until_another_is_requested() -> None:
    """Each refused capture creates a version; clients have no other way to learn of it."""
    asked = replay_until("authorized").deliver(received(capture(500))).payment
    assert asked is not None
    reported = decide(asked, received(refused("capture:1")), asked.id).payment
    assert reported is not None
    assert reported.version == asked.version + 1
    assert snapshot(reported).failure == refused("capture:1").refusal
    again = decide(reported, received(capture(500, "op_again")), reported.id).payment
    assert again is not None
    assert again.version == reported.version + 1
    assert snapshot(again).failure is None

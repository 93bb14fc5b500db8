"""A failed attempt is not a failed payment: what may follow, and which calls are made."""

import pytest
from msgspec.structs import replace

from domain.facts.join import failures
from domain.inputs import Failure
from domain.status import CancelCause, Outcome, ProviderStatus, Status
from domain.view import NextAction, snapshot
from tests.domain.histories.builders import (
    DECLINED,
    acknowledged,
    cancel,
    canceled,
    confirm,
    create,
    failed,
    key,
    payment_fact,
    received,
    refused,
)
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import payment_that_is, replay_until

PENDING, ACTION_NEEDED = ProviderStatus.PENDING, ProviderStatus.ACTION_NEEDED


def test_a_failure_with_attempts_left_asks_for_another_payment_method() -> None:
    """The payment waits for the client, publishes the failure, and makes no provider call."""
    replay = Replay([received(create(max_attempts=2)), received(acknowledged())])
    decision = replay.deliver(received(failed("at_1", 2)))
    published = snapshot(replay.existing)
    assert (published.status, published.failure) == (Status.REQUIRES_ACTION, DECLINED)
    assert published.next_action == NextAction("new_payment_method")
    assert decision.provider_calls == ()


def test_a_failure_whose_error_is_cleared_still_asks_for_another_payment_method() -> None:
    """Whatever changed the object started no attempt: the failure is shown, a confirm taken."""
    replay = Replay([received(create(max_attempts=2)), received(acknowledged())])
    replay.deliver(received(failed("at_1", 2)))
    before = snapshot(replay.existing)
    assert (
        replay.deliver(received(payment_fact(ProviderStatus.OPEN, 60))).outcome is Outcome.APPLIED
    )
    assert snapshot(replay.existing) == before
    assert replay.deliver(received(confirm())).outcome is Outcome.APPLIED


def test_a_customer_who_has_to_act_is_sent_to_the_providers_url() -> None:
    """The next action has the URL from the provider's latest fact."""
    replay = replay_until("customer awaited")
    replay.deliver(received(payment_fact(ACTION_NEEDED, 5, action_url="https://bank.example/3ds")))
    action = NextAction("redirect", "https://bank.example/3ds")
    assert snapshot(replay.existing).next_action == action


def test_an_action_without_a_page_is_the_sdks() -> None:
    """A redirect always has a URL."""
    replay = replay_until("customer awaited")
    replay.deliver(received(payment_fact(ACTION_NEEDED, 5, action_url=None)))
    assert snapshot(replay.existing).next_action == NextAction("provider_sdk")


def test_the_next_attempt_clears_the_last_failure() -> None:
    """While the next attempt is in flight, there is no next action and no failure."""
    published = snapshot(payment_that_is("next attempt begun"))
    assert (published.status, published.attempts) == (Status.PROCESSING, 2)
    assert (published.next_action, published.failure) == (None, None)


def test_a_confirm_names_the_attempt_and_the_new_payment_method() -> None:
    """Each confirm is a separate call, with the payment method that the client gave."""
    decision = replay_until("card awaited").deliver(received(confirm(payment_method="card_9")))
    (call,) = decision.provider_calls
    assert (call.key, call.operation) == (key("confirm:2"), "confirm")
    assert (call.payment_method, call.object_id) == ("card_9", "obj_1")


def test_a_refused_attempt_is_published_and_may_be_retried_under_a_new_key() -> None:
    """The provider made no attempt, so none is used up; the next call has another key."""
    replay = replay_until("next attempt refused")
    assert snapshot(replay.existing).failure == DECLINED
    (call,) = replay.deliver(received(confirm())).provider_calls
    assert call.key == key("confirm:3")


def test_the_last_failure_asks_the_provider_to_cancel_and_is_not_yet_the_end() -> None:
    """The provider could still succeed: only a fact from it makes the payment FAILED."""
    replay = Replay([received(create()), received(acknowledged())])
    (call,) = replay.deliver(received(failed("at_1", 2))).provider_calls
    assert (call.operation, call.cancel_cause) == ("cancel", CancelCause.ATTEMPTS_EXHAUSTED)
    assert snapshot(replay.existing).status is Status.PROCESSING
    assert snapshot(replay.existing).failure == DECLINED
    done = canceled(9, CancelCause.ATTEMPTS_EXHAUSTED)
    replay.deliver(received(done))
    assert snapshot(replay.existing).status is Status.FAILED
    assert snapshot(replay.existing).failure == DECLINED


def test_a_refused_cancel_before_the_last_failure_does_not_keep_the_payment_open() -> None:
    """When the attempts are used up after a refused cancel, a cancel is called again."""
    replay = replay_until("processing, cancelling")
    replay.deliver(received(refused("cancel:1")))
    (call,) = replay.deliver(received(failed("at_1", 5))).provider_calls
    assert call.cancel_cause is CancelCause.ATTEMPTS_EXHAUSTED


def test_a_cancel_accepted_after_the_last_one_was_refused_reaches_the_provider() -> None:
    """Our own cancel was refused; the client's cancel is a new call."""
    replay = replay_until("attempts used up")
    replay.deliver(received(refused("cancel:exhausted")))
    decision = replay.deliver(received(cancel()))
    assert decision.outcome is Outcome.APPLIED
    assert [call.operation for call in decision.provider_calls] == ["cancel"]


def test_a_clients_cancel_is_called_once_our_own_was_refused() -> None:
    """The refusal of our own cancel leaves the client's cancel valid."""
    replay = replay_until("attempts used up")
    assert replay.deliver(received(cancel())).provider_calls == ()
    (call,) = replay.deliver(received(refused("cancel:exhausted"))).provider_calls
    assert (call.key, call.cancel_cause) == (key("cancel:1"), CancelCause.REQUESTED)
    assert snapshot(replay.existing).cancel_requested


def test_a_payment_that_the_provider_still_processes_is_not_cancelled() -> None:
    """The last failure arrives late; a later fact shows that the provider went on."""
    replay = Replay(
        [received(create()), received(acknowledged()), received(payment_fact(PENDING, 9))]
    )
    assert replay.deliver(received(failed("at_1", 2))).provider_calls == ()


def test_no_attempt_begins_while_the_customer_has_to_act_after_a_failure() -> None:
    """The provider waits for the customer, not for another payment method."""
    replay = replay_until("card awaited")
    replay.deliver(received(payment_fact(ACTION_NEEDED, 9)))
    assert snapshot(replay.existing).status is Status.REQUIRES_ACTION
    assert replay.deliver(received(confirm())).outcome is Outcome.REJECTED


def test_a_late_refusal_does_not_undo_the_next_cancel() -> None:
    """The refusal of the first cancel does not affect the second, which is still in flight."""
    replay = replay_until("processing, cancelling")
    refusal = received(refused("cancel:1"))
    replay.deliver(refusal)
    (call,) = replay.deliver(received(cancel("op_again"))).provider_calls
    assert call.key == key("cancel:2")
    replay.deliver(replace(refusal, event_id="res_repeated"))
    assert snapshot(replay.existing).cancel_requested


def test_two_failures_of_one_attempt_still_let_only_one_next_attempt_begin() -> None:
    """Only one attempt is in flight at a time, also if the one before it failed twice."""
    replay = Replay([received(create(max_attempts=5)), received(acknowledged())])
    for attempt, second in (("at_1", 1), ("at_1b", 2)):
        replay.deliver(received(failed(attempt, second)))
    assert replay.deliver(received(confirm())).outcome is Outcome.APPLIED
    assert snapshot(replay.existing).status is Status.PROCESSING
    assert replay.deliver(received(confirm("op_again"))).outcome is Outcome.REJECTED


def test_an_attempt_both_refused_and_reported_as_failed_counts_once() -> None:
    """A provider may respond "declined" and send a webhook too: the next attempt is the third."""
    replay = Replay(
        received(b) for b in (create(max_attempts=5), acknowledged(), failed("at_1", 1))
    )
    replay.deliver(received(confirm()))
    replay.deliver(received(failed("at_2", 5)))
    replay.deliver(received(refused("confirm:2")))
    assert snapshot(replay.existing).status is Status.REQUIRES_ACTION
    assert replay.deliver(received(confirm("op_third"))).outcome is Outcome.APPLIED
    assert snapshot(replay.existing).status is Status.PROCESSING
    assert replay.deliver(received(confirm("op_fourth"))).outcome is Outcome.REJECTED


@pytest.mark.parametrize(
    ("caused_by", "status"),
    [
        (None, Status.PROCESSING),
        (key("create"), Status.PROCESSING),
        (key("capture:1"), Status.PROCESSING),
        (key("confirm:x"), Status.PROCESSING),
        (key("confirm:3"), Status.PROCESSING),
        ("pay_other:confirm:2", Status.PROCESSING),
        (key("confirm:2"), Status.REQUIRES_ACTION),
        (key("confirm:2.1"), Status.REQUIRES_ACTION),
    ],
)
def test_in_the_second_of_a_failure_only_the_next_attempts_facts_are_later(
    caused_by: str | None, status: Status
) -> None:
    """Times have whole seconds: in a tie, a fact that echoes a later attempt's call is later."""
    replay = replay_until("next attempt begun")
    replay.deliver(received(payment_fact(ACTION_NEEDED, 2, caused_by=caused_by)))
    assert snapshot(replay.existing).status is status


def test_a_success_clears_the_failure() -> None:
    """A successful payment publishes no earlier failure."""
    replay = replay_until("next attempt begun")
    replay.deliver(received(payment_fact(ProviderStatus.SUCCEEDED, 9)))
    published = snapshot(replay.existing)
    assert (published.failure, published.next_action) == (None, None)


def test_a_failed_payment_keeps_its_failure() -> None:
    """A late fact from between the last failure and the end changes nothing."""
    replay = replay_until("failed")
    decision = replay.deliver(received(payment_fact(PENDING, 5)))
    assert decision.outcome is Outcome.STALE
    assert snapshot(replay.existing).failure == DECLINED


def test_a_later_fact_that_the_provider_goes_on_clears_the_failure() -> None:
    """The failure is no longer published once the provider processes the payment again."""
    replay = replay_until("card awaited")
    replay.deliver(received(payment_fact(PENDING, 9)))
    assert snapshot(replay.existing).failure is None


def test_the_earliest_report_of_a_failure_counts() -> None:
    """A failure that is reported again later still precedes the facts after its first report."""
    reported = [failed("at_1", 9, failure=Failure("later", "again")), failed("at_1", 2)]
    before = [received(create(max_attempts=2)), received(acknowledged())]
    replay = Replay([*before, *(received(fact) for fact in reported)])
    replay.deliver(received(payment_fact(PENDING, 5)))
    assert snapshot(replay.existing).status is Status.PROCESSING


@pytest.mark.parametrize(
    ("second", "code", "count"),
    [(1, "declined", 2), (2, "declined", 1), (9, "declined", 1), (9, "expired_card", 2)],
)
def test_a_report_without_a_name_is_a_failure_of_its_own_if_it_can_be_no_known_one(
    second: int, code: str, count: int
) -> None:
    """What a look finds at 9 is the failure of 2; one of another code, or earlier, is another."""
    known = [failed("at_1", 2), failed(None, second, failure=Failure(code, "no"))]
    for reported in (known, known[::-1]):
        replay = Replay([received(create(max_attempts=2)), received(acknowledged())])
        for fact in reported:
            replay.deliver(received(fact))
        assert len(failures(replay.existing.facts)) == count
        is_over = count == replay.existing.max_attempts
        assert (key("cancel:exhausted") in replay.calls) is is_over


def test_a_refused_confirm_shows_why() -> None:
    """The refusal is newer than the failure of the attempt before it."""
    replay = Replay([received(create(max_attempts=3)), received(acknowledged())])
    replay.deliver(received(failed("ch_1", 2, failure=Failure("expired_card", "it has expired"))))
    replay.deliver(received(confirm()))
    replay.deliver(received(refused("confirm:2")))
    published = snapshot(replay.existing)
    assert (published.status, published.failure) == (Status.REQUIRES_ACTION, DECLINED)

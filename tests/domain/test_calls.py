"""Provider calls: each operation is called once, under a deterministic key."""

import pytest
from msgspec.structs import asdict, replace

from domain.call_key import Operation
from domain.calls import (
    ProviderCall,
    amount_of,
    capture_method_of,
    currency_of,
    is_last_cancel,
)
from domain.inputs import Unmodelled
from domain.status import CancelCause, Outcome, RefundStatus
from domain.view import snapshot
from tests.domain.histories.builders import (
    AMOUNT,
    CURRENCY,
    DECLINED,
    OBJECT,
    PAYMENT,
    acknowledged,
    cancel,
    capture,
    confirm,
    create,
    failed,
    key,
    received,
    refund,
    refused,
    requested_refund_fact,
)
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import SITUATIONS, replay_until


def test_a_create_asks_the_provider_to_create_what_the_client_asked_for() -> None:
    """The call carries every field, under a key made of the payment's ID and the operation."""
    command = create(description="a book", metadata={"order": "7"})
    (call,) = Replay().deliver(received(command)).provider_calls
    assert call == ProviderCall(
        key=key("create"),
        operation=Operation.CREATE,
        payment_id=PAYMENT,
        provider="psp",
        amount=AMOUNT,
        currency=CURRENCY,
        payment_method="card_1",
        capture_method="automatic",
        return_url=command.return_url,
        description="a book",
        metadata={"order": "7"},
    )


def test_a_confirm_names_the_object_the_payment_method_and_the_return_url() -> None:
    """Without the URL, the customer of a second attempt could not come back from the bank."""
    replay = Replay([received(create(max_attempts=2)), received(acknowledged())])
    replay.deliver(received(failed("ch_1", 2)))
    (call,) = replay.deliver(received(confirm())).provider_calls
    assert _set_fields(call) == {
        "key": key("confirm:2"),
        "operation": "confirm",
        "object_id": OBJECT,
        "currency": CURRENCY,
        "payment_method": "card_2",
        "return_url": create().return_url,
    }


def test_a_capture_names_the_object_and_the_amount() -> None:
    """The amount of a partial capture is in the payment's currency."""
    (call,) = replay_until("authorized").deliver(received(capture(600))).provider_calls
    assert _set_fields(call) == {
        "key": key("capture:1"),
        "operation": "capture",
        "object_id": OBJECT,
        "amount": 600,
        "currency": CURRENCY,
    }


def test_a_refund_names_its_id_the_amount_and_the_reason() -> None:
    """The refund's ID is in the key, so the refund can't be made twice."""
    command = refund("re_1", 300, reason="returned")
    (call,) = replay_until("succeeded").deliver(received(command)).provider_calls
    assert _set_fields(call) == {
        "key": key("refund:re_1"),
        "operation": "refund",
        "object_id": OBJECT,
        "amount": 300,
        "currency": CURRENCY,
        "refund_id": "re_1",
        "reason": "returned",
    }


def test_a_cancel_says_why() -> None:
    """The call carries the cause, and the provider's facts return it."""
    (call,) = replay_until("processing").deliver(received(cancel())).provider_calls
    assert _set_fields(call) == {
        "key": key("cancel:1"),
        "operation": "cancel",
        "object_id": OBJECT,
        "currency": CURRENCY,
        "cancel_cause": CancelCause.REQUESTED,
    }


def test_a_cancel_waits_until_the_provider_has_something_to_cancel() -> None:
    """While the object is unknown no call is made; once it is known, the call is made at once."""
    replay = replay_until("created")
    assert replay.deliver(received(cancel())).provider_calls == ()
    (call,) = replay.deliver(received(acknowledged())).provider_calls
    assert (call.key, call.object_id) == (key("cancel:1"), OBJECT)


def test_a_cancel_is_dropped_when_the_create_was_refused() -> None:
    """There is no object to cancel."""
    replay = replay_until("created")
    replay.deliver(received(cancel()))
    assert replay.deliver(received(refused("create"))).provider_calls == ()


def test_a_refused_capture_is_called_again_under_the_next_key() -> None:
    """A key belongs to one request for ever; another amount is another request."""
    decision = replay_until("authorized, capture refused").deliver(received(capture(500)))
    assert [(call.key, call.amount) for call in decision.provider_calls] == [
        (key("capture:2"), 500)
    ]


def test_a_refused_refund_has_the_providers_reason_and_reserves_no_money() -> None:
    """It is published as FAILED with the provider's failure, and its amount is free again."""
    replay = replay_until("refunded")
    replay.deliver(replace(received(refused("refund:re_0")), event_id="res_other_word"))
    assert "0.00 EUR is left" in replay.deliver(received(refund("re_1"))).reason
    replay = replay_until("succeeded")
    replay.deliver(received(refund("re_0")))
    replay.deliver(received(refused("refund:re_0")))
    (published,) = snapshot(replay.existing).refunds
    assert (published.status, published.failure) == (RefundStatus.FAILED, DECLINED)
    assert replay.deliver(received(refund("re_1"))).outcome is Outcome.APPLIED


def test_a_refund_that_failed_at_the_provider_says_why() -> None:
    """The failure of the deciding fact is published."""
    replay = replay_until("refund of 700 pending")
    failure = replace(DECLINED, code="account_closed")
    replay.deliver(
        received(requested_refund_fact("re_0", RefundStatus.FAILED, 20, 700, failure=failure))
    )
    assert [r.failure for r in snapshot(replay.existing).refunds] == [failure]


def test_a_failure_reported_after_success_cancels_nothing() -> None:
    """The attempts are used up, but the money was captured, so no cancel is called."""
    replay = replay_until("succeeded")
    assert replay.deliver(received(failed("at_1", 2))).provider_calls == ()


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_second_result_of_a_call_is_stale(situation: str) -> None:
    """A call has one result: a second one has no effect, also if it differs."""
    for name in ("create", "confirm:2", "capture:1", "cancel:1", "refund:re_0"):
        replay = replay_until(situation)
        if replay.deliver(received(acknowledged(name))).outcome is Outcome.APPLIED:
            before = replay.existing
            for result in (acknowledged(name), refused(name)):
                assert replay.deliver(received(result)).outcome is Outcome.STALE
                assert replay.existing == before


def test_an_event_of_no_effect_is_ignored_with_or_without_a_payment() -> None:
    """The outcome is ``ignored``, and the reason names the event's kind."""
    event = received(Unmodelled("evt_1", "customer.updated", "it moves no money"))
    for replay in (Replay(), replay_until("processing")):
        decision = replay.deliver(event)
        assert decision.outcome is Outcome.IGNORED
        assert "customer.updated" in decision.reason


def test_a_result_before_its_payment_is_parked() -> None:
    """When a log is read again from its beginning, results may be read before commands."""
    replay = Replay()
    assert replay.deliver(received(acknowledged())).outcome is Outcome.PARKED
    replay.deliver(received(create()))
    assert replay.existing.object_id == OBJECT


def _set_fields(call: ProviderCall) -> dict[str, object]:
    """The call's fields that are set, without its payment ID and provider."""
    return {
        name: value
        for name, value in asdict(call).items()
        if value not in (None, {}) and name not in {"payment_id", "provider"}
    }


def test_the_amount_of_a_call_is_never_left_open() -> None:
    """A call without an amount is our own error: providers would read it as "all"."""
    call = ProviderCall(
        key=key("capture:1"),
        operation=Operation.CAPTURE,
        payment_id=PAYMENT,
        provider="any",
        amount=5,
    )
    assert amount_of(call) == 5
    with pytest.raises(ValueError, match="has no amount"):
        amount_of(replace(call, amount=None))


def test_a_call_whose_money_or_capture_method_was_lost_is_not_made() -> None:
    """A provider would take a missing one for another: "capture at once", say."""
    whole = ProviderCall(
        key=key("create"),
        operation=Operation.CREATE,
        payment_id=PAYMENT,
        provider="psp",
        amount=AMOUNT,
        currency=CURRENCY,
        capture_method="manual",
    )
    assert (currency_of(whole), capture_method_of(whole)) == (CURRENCY, "manual")
    with pytest.raises(ValueError, match="no currency"):
        currency_of(replace(whole, currency=None))
    with pytest.raises(ValueError, match="no capture method"):
        capture_method_of(replace(whole, capture_method=None))


@pytest.mark.parametrize(
    ("name", "is_last"),
    [("cancel:exhausted", True), ("cancel:exhausted.2", True), ("cancel:1", False)],
)
def test_the_last_cancel_is_that_for_used_up_attempts(name: str, *, is_last: bool) -> None:
    """Under any generation of its key."""
    call = ProviderCall(
        key=key(name), operation=Operation.CANCEL, payment_id=PAYMENT, provider="psp"
    )
    assert is_last_cancel(call) is is_last

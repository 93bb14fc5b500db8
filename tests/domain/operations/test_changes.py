"""Every command has an answer: rejected with a code, or applied, and then done or refused.

``Replay`` asserts in every history that an answer is given once and never changes.
"""

import pytest
from msgspec.structs import replace

from domain.decide import decide
from domain.inputs import CallResult, Command, Fact
from domain.operations.changes import call_of
from domain.status import CancelCause, OperationStatus, Outcome, ProviderStatus, RejectionCode
from tests.domain.histories.builders import (
    DECLINED,
    EXPIRY,
    PAYMENT,
    TENANT,
    acknowledged,
    at,
    cancel,
    canceled,
    capture,
    confirm,
    create,
    failed,
    key,
    payment_fact,
    received,
    refund,
    refused,
)
from tests.domain.histories.replay import Replay
from tests.domain.histories.situations import SITUATIONS, replay_until

PAID = payment_fact(ProviderStatus.SUCCEEDED, 4, caused_by=key("create"))

#: By command: a situation that allows it, and the call that it needs.
NEEDED = {
    "create": ((), create(), "create"),
    "confirm": (SITUATIONS["card awaited"], confirm(), "confirm:2"),
    "capture": (SITUATIONS["authorized"], capture(500), "capture:1"),
    "cancel": (SITUATIONS["processing"], cancel(), "cancel:1"),
    "refund": (SITUATIONS["succeeded"], refund("re_1", 300), "refund:re_1"),
}
Body = Command | Fact | CallResult
every_command = pytest.mark.parametrize(
    ("before", "command", "call"), NEEDED.values(), ids=list(NEEDED)
)


def _event_id(command: Command) -> str:
    return received(command).event_id


@every_command
def test_an_applied_command_names_the_version_it_led_to(
    before: tuple[Body, ...], command: Command, call: str
) -> None:
    """It is open until the provider answers its call."""
    replay = Replay([received(body) for body in before])
    decision = replay.deliver(received(command, 40))
    (change,) = decision.operations
    assert (change.event_id, change.type) == (_event_id(command), call.partition(":")[0])
    assert (change.status, change.code) == (OperationStatus.APPLIED, None)
    assert (change.version, change.reason) == (replay.existing.version, decision.reason)
    assert (change.received_at, change.updated_at) == (at(40), at(40))
    assert (change.tenant, change.refund_id) == (TENANT, getattr(command, "refund_id", None))
    opened = replay.existing.open_operations[_event_id(command)]
    assert call_of(PAYMENT, opened) == key(call)


@every_command
def test_it_is_done_once_the_provider_has_it(
    before: tuple[Body, ...], command: Command, call: str
) -> None:
    """What the acknowledgement led to is the version then; when the command came stays."""
    replay = Replay([received(body) for body in (*before, command)])
    (change,) = replay.deliver(received(acknowledged(call))).operations
    assert (change.event_id, change.type) == (_event_id(command), call.partition(":")[0])
    assert (change.status, change.code) == (OperationStatus.DONE, None)
    assert change.version == replay.existing.version
    assert (change.tenant, change.refund_id) == (TENANT, getattr(command, "refund_id", None))
    assert _event_id(command) not in replay.existing.open_operations


@every_command
def test_it_is_refused_with_the_providers_code_and_words(
    before: tuple[Body, ...], command: Command, call: str
) -> None:
    """A definite refusal ends it."""
    replay = Replay([received(body) for body in (*before, command)])
    (change,) = replay.deliver(received(refused(call), EXPIRY + 9)).operations
    assert (change.event_id, change.status) == (_event_id(command), OperationStatus.REFUSED)
    assert (change.code, change.reason) == (DECLINED.code, DECLINED.message)
    assert (change.received_at, change.updated_at) == (at(EXPIRY - 1), at(EXPIRY + 9))
    assert change.version == replay.existing.version


@pytest.mark.parametrize(
    ("situation", "command", "code"),
    [
        ("processing", confirm(), RejectionCode.WRONG_STATUS),
        ("customer awaited", confirm(), RejectionCode.ACTION_NEEDED),
        ("card awaited, cancelling", confirm(), RejectionCode.CANCEL_REQUESTED),
        ("processing", capture(), RejectionCode.WRONG_STATUS),
        ("authorized, cancelling", capture(), RejectionCode.CANCEL_REQUESTED),
        ("authorized, capturing", capture(), RejectionCode.CAPTURE_REQUESTED),
        ("authorized", capture(1001), RejectionCode.AMOUNT_TOO_LARGE),
        ("failed", cancel(), RejectionCode.WRONG_STATUS),
        ("processing, cancelling", cancel(), RejectionCode.CANCEL_REQUESTED),
        ("customer awaited", cancel(expired=True), RejectionCode.NOT_EXPIRED),
        ("processing", cancel(expired=True), RejectionCode.WRONG_STATUS),
        ("processing", refund(), RejectionCode.WRONG_STATUS),
        ("refunded", refund(), RejectionCode.AMOUNT_TOO_LARGE),
        ("refund of 700 pending", refund("re_0", operation_id="o"), RejectionCode.ALREADY_EXISTS),
        ("failed", create(operation_id="o"), RejectionCode.ALREADY_EXISTS),
        ("failed", create(fingerprint="other"), RejectionCode.KEY_REUSED),
        ("failed", cancel(tenant="other"), RejectionCode.UNKNOWN_PAYMENT),
        ("authorized", replace(capture(), expected_version=99), RejectionCode.VERSION_MISMATCH),
        ("failed", replace(cancel(), expected_version=99), RejectionCode.VERSION_MISMATCH),
        ("refunded", replace(refund(), expected_version=0), RejectionCode.VERSION_MISMATCH),
        ("card awaited", replace(confirm(), expected_version=0), RejectionCode.VERSION_MISMATCH),
    ],
)  # fmt: skip
def test_a_rejected_command_has_a_code_and_the_reason(
    situation: str, command: Command, code: RejectionCode
) -> None:
    """It changes nothing, and says as of which version; another tenant's learns no version."""
    replay = replay_until(situation)
    decision = replay.deliver(received(command))
    (change,) = decision.operations
    assert (change.status, change.code) == (OperationStatus.REJECTED, code)
    assert (change.reason, change.tenant) == (decision.reason, command.tenant)
    is_own = command.tenant == TENANT
    assert change.version == (replay.existing.version if is_own else None)


@pytest.mark.parametrize(
    ("situation", "command"),
    [
        ("authorized", cancel()),
        ("card awaited", confirm()),
        ("refund of 700 pending", refund("re_9", amount=1)),
    ],
)  # fmt: skip
def test_a_command_for_the_present_version_is_applied(situation: str, command: Command) -> None:
    """And one for the version before is not, once it has changed."""
    replay = replay_until(situation)
    version = replay.existing.version
    decision = replay.deliver(received(replace(command, expected_version=version)))
    assert decision.outcome is Outcome.APPLIED
    late = replace(cancel(operation_id="late"), expected_version=version)
    assert replay.deliver(received(late)).code is RejectionCode.VERSION_MISMATCH


def test_a_confirm_that_comes_too_late_says_why_no_attempt_is_left() -> None:
    """By default there is one, which surprises whom no page has said so."""
    decision = replay_until("failed").deliver(received(confirm()))
    assert decision.reason.endswith(
        "it is FAILED, because max_attempts is 1 and as many have failed"
    )
    other = replay_until("refunded").deliver(received(confirm()))
    assert other.reason.endswith("it is SUCCEEDED")


def test_a_command_for_no_payment_is_rejected_without_a_version() -> None:
    """There is nothing that it could have led to."""
    (change,) = decide(None, received(cancel()), PAYMENT).operations
    assert (change.status, change.code) == (OperationStatus.REJECTED, "unknown_payment")
    assert change.version is None


def test_a_repeated_command_has_no_further_answer() -> None:
    """Its operation is the one that it was."""
    replay = replay_until("processing")
    replay.deliver(received(cancel()))
    assert replay.deliver(received(cancel())).outcome is Outcome.DUPLICATE
    assert not decide(replay.existing, received(cancel()), PAYMENT).operations


def test_a_second_body_under_a_key_is_an_operation_of_its_own() -> None:
    """It is rejected; the first one goes on."""
    replay = replay_until("authorized")
    replay.deliver(received(capture(500)))
    other = replace(capture(600), fingerprint="fp_other")
    (change,) = replay.deliver(received(other)).operations
    assert (change.event_id, change.status) == (_event_id(other), OperationStatus.REJECTED)
    (change,) = replay.deliver(received(acknowledged("capture:1"))).operations
    assert (change.event_id, change.status) == (_event_id(capture(500)), OperationStatus.DONE)


def test_a_capture_after_a_refused_one_has_its_own_end() -> None:
    """Each waits for its own call."""
    replay = replay_until("authorized")
    replay.deliver(received(capture(500, "op_1")))
    replay.deliver(received(refused("capture:1")))
    replay.deliver(received(capture(400, "op_2")))
    replay.deliver(received(acknowledged("capture:2")))
    ends = [replay.operations[_event_id(capture(operation=o))].status for o in ("op_1", "op_2")]
    assert ends == [OperationStatus.REFUSED, OperationStatus.DONE]


@pytest.mark.parametrize(
    ("end", "status", "code"),
    [
        (PAID, OperationStatus.REFUSED, "payment_ended"),
        (refused("create"), OperationStatus.REFUSED, "payment_ended"),
        (
            canceled(9, CancelCause.PROVIDER, caused_by=key("create")),
            OperationStatus.DONE,
            None,
        ),
    ],
    ids=["paid", "create refused", "cancelled"],
)
def test_a_cancel_ends_with_a_payment_that_ended_before_the_provider_was_asked(
    end: Fact | CallResult, status: OperationStatus, code: str | None
) -> None:
    """While the object is unknown, the provider can't be asked to cancel it."""
    replay = Replay([received(create()), received(cancel())])
    replay.deliver(received(end))
    change = replay.operations[_event_id(cancel())]
    assert (change.status, change.code) == (status, code)
    assert str(replay.existing.status) in change.reason


def test_a_cancel_ends_with_our_own_cancel_for_used_up_attempts() -> None:
    """That one comes first, and the payment is FAILED by it."""
    replay = Replay([received(create()), received(acknowledged())])
    replay.deliver(received(failed("at_1", 2)))
    replay.deliver(received(cancel()))
    replay.deliver(received(canceled(9, CancelCause.ATTEMPTS_EXHAUSTED)))
    change = replay.operations[_event_id(cancel())]
    assert (change.status, change.code) == (OperationStatus.REFUSED, "payment_ended")


def test_what_a_fact_shows_first_is_done_once_the_provider_answers() -> None:
    """A webhook may be faster than the answer to the call that caused it."""
    replay = replay_until("authorized")
    replay.deliver(received(capture()))
    replay.deliver(received(payment_fact(ProviderStatus.SUCCEEDED, 4)))
    assert replay.operations[_event_id(capture())].status is OperationStatus.APPLIED
    replay.deliver(received(acknowledged("capture:1")))
    assert replay.operations[_event_id(capture())].status is OperationStatus.DONE

"""Cancels that cross captures, attempts and the customer: each row is a history and its end."""

from typing import Final

from domain.status import CancelCause, ProviderStatus, Status
from tests.domain.histories.builders import (
    EXPIRY,
    acknowledged,
    cancel,
    canceled,
    capture,
    confirm,
    create,
    failed,
    key,
    payment_fact,
    received,
    refused,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import Meaning

_OPEN, _PENDING = ProviderStatus.OPEN, ProviderStatus.PENDING
_ACTION_NEEDED, _AUTHORIZED = ProviderStatus.ACTION_NEEDED, ProviderStatus.AUTHORIZED
_SUCCEEDED = ProviderStatus.SUCCEEDED
_ACKNOWLEDGED = Reported(acknowledged(), needs="create")
_PAID = Meaning(Status.SUCCEEDED, authorized=1000, captured=1000)
_HELD = Meaning(Status.AUTHORIZED, authorized=1000)


def _attempt_fact(call: str, status: ProviderStatus, second: int, event_id: str) -> Reported:
    """A fact about an attempt; it names the call that started the attempt."""
    needs = "" if call == "create" else call
    return Reported(
        payment_fact(status, second, caused_by=key(call), event_id=event_id), needs=needs
    )


RACE_HISTORIES: Final = (
    History(
        "the client cancels while the attempts are used up, and its cancel is first",
        create(),
        (
            _ACKNOWLEDGED,
            Reported(payment_fact(_PENDING, 1)),
            cancel(),
            Reported(failed("at_1", 2)),
            Reported(acknowledged("cancel:1"), needs="cancel:1"),
            Reported(refused("cancel:exhausted"), needs="cancel:exhausted"),
            Reported(canceled(50, CancelCause.REQUESTED), needs="cancel:1"),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "the client cancels while the attempts are used up, and our own cancel is first",
        create(),
        (
            _ACKNOWLEDGED,
            cancel(),
            Reported(failed("at_1", 2)),
            Reported(acknowledged("cancel:exhausted"), needs="cancel:exhausted"),
            Reported(canceled(50, CancelCause.ATTEMPTS_EXHAUSTED), needs="cancel:exhausted"),
        ),
        Meaning(Status.FAILED),
    ),
    History(
        "the client cancels after our own cancel was refused",
        create(),
        (
            _ACKNOWLEDGED,
            Reported(failed("at_1", 2)),
            Reported(refused("cancel:exhausted"), needs="cancel:exhausted"),
            cancel(),
            Reported(canceled(50, CancelCause.REQUESTED), needs="cancel:1"),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "a cancel comes while a capture is on its way, and the capture wins",
        create(capture_method="manual", max_attempts=2),
        (
            Reported(payment_fact(_AUTHORIZED, 3)),
            capture(600),
            cancel(),
            Reported(acknowledged("capture:1"), needs="capture:1"),
            Reported(refused("cancel:1"), needs="cancel:1"),
            Reported(payment_fact(_PENDING, 8), needs="capture:1"),
            Reported(payment_fact(_SUCCEEDED, 9, captured=600), needs="capture:1"),
        ),
        Meaning(Status.SUCCEEDED, authorized=1000, captured=600),
    ),
    History(
        "a cancel comes while a capture is on its way, and the cancel wins",
        create(capture_method="manual"),
        (
            Reported(payment_fact(_AUTHORIZED, 3)),
            capture(600),
            cancel(),
            Reported(refused("capture:1"), needs="capture:1"),
            Reported(canceled(50, CancelCause.REQUESTED), needs="cancel:1"),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "a cancel waits for the object, which was never made",
        create(max_attempts=2),
        (cancel(), Reported(refused("create"), needs="create")),
        Meaning(Status.FAILED),
    ),
    History(
        "the customer acts at the time it expires",
        create(),
        (
            Reported(payment_fact(_ACTION_NEEDED, 2)),
            received(cancel(expired=True), EXPIRY),
            Reported(payment_fact(_PENDING, EXPIRY)),
            Reported(refused("cancel:1"), needs="cancel:1"),
            Reported(payment_fact(_SUCCEEDED, EXPIRY)),
        ),
        _PAID,
    ),
    History(
        "the customer abandons the second attempt, and it expires",
        create(max_attempts=2),
        (
            Reported(payment_fact(_OPEN, 1)),
            Reported(failed("at_1", 2)),
            confirm(),
            _attempt_fact("confirm:2", _ACTION_NEEDED, 5, "evt_asks"),
            received(cancel(expired=True), EXPIRY),
            Reported(canceled(EXPIRY, CancelCause.REQUESTED), needs="cancel:1"),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "cancelled at any moment until it is captured",
        create(capture_method="manual", max_attempts=2),
        (
            _ACKNOWLEDGED,
            Reported(payment_fact(_OPEN, 1)),
            Reported(payment_fact(_PENDING, 2)),
            Reported(payment_fact(_AUTHORIZED, 3)),
            cancel(),
            Reported(acknowledged("cancel:1"), needs="cancel:1"),
            Reported(canceled(50, CancelCause.REQUESTED), needs="cancel:1"),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "cancelled at any moment of two attempts",
        create(max_attempts=3),
        (
            _ACKNOWLEDGED,
            Reported(failed("at_1", 2)),
            confirm(),
            Reported(acknowledged("confirm:2"), needs="confirm:2"),
            _attempt_fact("confirm:2", _ACTION_NEEDED, 5, "evt_asks"),
            cancel(),
            Reported(canceled(50, CancelCause.REQUESTED), needs="cancel:1"),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "cancelled while the last attempt is on its way",
        create(max_attempts=2),
        (
            Reported(failed("at_1", 2)),
            confirm(),
            cancel(),
            Reported(canceled(50, CancelCause.REQUESTED), needs="cancel:1"),
        ),
        Meaning(Status.CANCELED),
    ),
)

"""What providers do to a payment until it is final: each row is a history and its end."""

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
_SUCCEEDED, _CANCELED = ProviderStatus.SUCCEEDED, ProviderStatus.CANCELED

_ACKNOWLEDGED = Reported(acknowledged(), needs="create")
_OPENED = Reported(payment_fact(_OPEN, 1))
_PROCESSING = Reported(payment_fact(_PENDING, 3))
_CAPTURED = Reported(payment_fact(_SUCCEEDED, 4))
_PAID = Meaning(Status.SUCCEEDED, authorized=1000, captured=1000)
_GIVEN_UP = Reported(
    canceled(50, CancelCause.ATTEMPTS_EXHAUSTED),
    needs="cancel:exhausted",
)
_CANCELED_FOR_US = canceled(50, CancelCause.REQUESTED)

_AUTOMATIC: Final = (
    History("nothing is reported", create(), (), Meaning(Status.CREATED)),
    History("it is acknowledged", create(), (_ACKNOWLEDGED,), Meaning(Status.PROCESSING)),
    History(
        "creating it is refused",
        create(),
        (Reported(refused("create"), needs="create"),),
        Meaning(Status.FAILED),
    ),
    History("automatic success", create(), (_ACKNOWLEDGED, _OPENED, _PROCESSING, _CAPTURED), _PAID),
    History(
        "success within one second, reported twice by different events",
        create(),
        (
            Reported(payment_fact(_OPEN, 1)),
            Reported(payment_fact(_PENDING, 1)),
            Reported(payment_fact(_AUTHORIZED, 1)),
            Reported(payment_fact(_SUCCEEDED, 1)),
            Reported(payment_fact(_SUCCEEDED, 1, event_id="evt_again")),
        ),
        _PAID,
    ),
    History(
        "the customer acts, then it succeeds",
        create(),
        (_ACKNOWLEDGED, Reported(payment_fact(_ACTION_NEEDED, 2)), _PROCESSING, _CAPTURED),
        _PAID,
    ),
    History(
        "the customer has to act",
        create(),
        (_OPENED, Reported(payment_fact(_OPEN, 2)), Reported(payment_fact(_ACTION_NEEDED, 2))),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "the customer has acted, and the provider is processing",
        create(),
        (_OPENED, Reported(payment_fact(_ACTION_NEEDED, 2)), _PROCESSING),
        Meaning(Status.PROCESSING),
    ),
)

_MANUAL: Final = (
    History(
        "the money is authorized, and nobody captures it",
        create(capture_method="manual"),
        (_ACKNOWLEDGED, _OPENED, _PROCESSING, Reported(payment_fact(_AUTHORIZED, 3))),
        Meaning(Status.AUTHORIZED, authorized=1000),
    ),
    History(
        "manual capture",
        create(capture_method="manual"),
        (
            _OPENED,
            Reported(payment_fact(_AUTHORIZED, 3)),
            capture(),
            Reported(acknowledged("capture:1"), needs="capture:1"),
            Reported(payment_fact(_SUCCEEDED, 9, caused_by=key("capture:1")), needs="capture:1"),
        ),
        _PAID,
    ),
    History(
        "partial capture",
        create(capture_method="manual"),
        (
            _OPENED,
            Reported(payment_fact(_AUTHORIZED, 3)),
            capture(600),
            Reported(payment_fact(_SUCCEEDED, 9, captured=600), needs="capture:1"),
        ),
        Meaning(Status.SUCCEEDED, authorized=1000, captured=600),
    ),
    History(
        "the capture is refused, and the client asks again",
        create(capture_method="manual"),
        (
            Reported(payment_fact(_AUTHORIZED, 3)),
            capture(600),
            Reported(refused("capture:1"), needs="capture:1"),
            capture(500, "op_capture_again"),
            Reported(payment_fact(_SUCCEEDED, 9, captured=500), needs="capture:2"),
        ),
        Meaning(Status.SUCCEEDED, authorized=1000, captured=500),
    ),
    History(
        "the authorization expires",
        create(capture_method="manual"),
        (
            _OPENED,
            Reported(payment_fact(_AUTHORIZED, 3)),
            Reported(canceled(600_000, CancelCause.PROVIDER)),
        ),
        Meaning(Status.CANCELED),
    ),
)

_CANCELLING: Final = (
    History(
        "nobody acts, and it expires",
        create(max_attempts=2),
        (
            _OPENED,
            Reported(payment_fact(_ACTION_NEEDED, 2)),
            received(cancel(expired=True), EXPIRY),
            Reported(acknowledged("cancel:1"), needs="cancel:1"),
            Reported(_CANCELED_FOR_US, needs="cancel:1"),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "cancelled while processing",
        create(),
        (_OPENED, _PROCESSING, cancel(), Reported(_CANCELED_FOR_US, needs="cancel:1")),
        Meaning(Status.CANCELED),
    ),
    History(
        "a cancel loses to success",
        create(),
        (_PROCESSING, cancel(), Reported(refused("cancel:1"), needs="cancel:1"), _CAPTURED),
        _PAID,
    ),
    History(
        "a cancel is refused, and the client asks again",
        create(),
        (
            _ACKNOWLEDGED,
            _PROCESSING,
            cancel(),
            Reported(refused("cancel:1"), needs="cancel:1"),
            cancel("op_cancel_again"),
            Reported(_CANCELED_FOR_US, needs="cancel:2"),
        ),
        Meaning(Status.CANCELED),
    ),
)

_ATTEMPTS: Final = (
    History(
        "one failure reported by three events leaves the second attempt",
        create(max_attempts=2),
        (
            _OPENED,
            Reported(failed("at_1", 2)),
            Reported(failed("at_1", 2, event_id="evt_again")),
            Reported(failed("at_1", 3)),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "declined, then another card succeeds",
        create(max_attempts=2),
        (
            _OPENED,
            Reported(failed("at_1", 2, caused_by=key("create"))),
            confirm(),
            Reported(payment_fact(_PENDING, 5, caused_by=key("confirm:2")), needs="confirm:2"),
            Reported(payment_fact(_SUCCEEDED, 6), needs="confirm:2"),
        ),
        _PAID,
    ),
    History(
        "the next attempt begins in the second the last one failed",
        create(max_attempts=2),
        (
            Reported(payment_fact(_ACTION_NEEDED, 2, caused_by=key("create"))),
            Reported(failed("at_1", 2)),
            confirm(),
            Reported(payment_fact(_PENDING, 2, caused_by=key("confirm:2")), needs="confirm:2"),
            Reported(
                payment_fact(_ACTION_NEEDED, 2, caused_by=key("confirm:2"), event_id="evt_asks"),
                needs="confirm:2",
            ),
        ),
        Meaning(Status.PROCESSING),
    ),
    History(
        "all in one second: processing, failed, started again, the customer has to act",
        create(max_attempts=2),
        (
            Reported(payment_fact(_PENDING, 2, caused_by=key("create"))),
            Reported(failed("at_1", 2)),
            confirm(),
            Reported(
                payment_fact(_ACTION_NEEDED, 2, caused_by=key("confirm:2"), event_id="evt_asks"),
                needs="confirm:2",
            ),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "the next attempt is in flight, and the last one's facts no longer count",
        create(max_attempts=2),
        (
            Reported(payment_fact(_ACTION_NEEDED, 2, caused_by=key("create"))),
            Reported(failed("at_1", 2)),
            confirm(),
            Reported(acknowledged("confirm:2"), needs="confirm:2"),
        ),
        Meaning(Status.PROCESSING),
    ),
    History(
        "the provider refuses the next attempt, which doesn't count",
        create(max_attempts=3),
        (
            _OPENED,
            Reported(failed("at_1", 2)),
            confirm(),
            Reported(refused("confirm:2"), needs="confirm:2"),
            confirm("op_confirm_again"),
            Reported(failed("at_2", 9, caused_by=key("confirm:3")), needs="confirm:3"),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
    History(
        "the only attempt fails, and the provider cancels as we ask",
        create(),
        (
            _ACKNOWLEDGED,
            _OPENED,
            Reported(failed("at_1", 2)),
            Reported(acknowledged("cancel:exhausted"), needs="cancel:exhausted"),
            _GIVEN_UP,
        ),
        Meaning(Status.FAILED),
    ),
    History(
        "both attempts fail, reported by three events, and the provider cancels as we ask",
        create(max_attempts=2),
        (
            Reported(failed("at_1", 2)),
            Reported(failed("at_1", 4)),
            confirm(),
            Reported(failed("at_2", 8), needs="confirm:2"),
            _GIVEN_UP,
        ),
        Meaning(Status.FAILED),
    ),
    History(
        "attempts are used up, but it succeeded instead",
        create(),
        (
            Reported(failed("at_1", 2)),
            Reported(refused("cancel:exhausted"), needs="cancel:exhausted"),
            _CAPTURED,
        ),
        _PAID,
    ),
)

PAYMENT_HISTORIES: Final = (*_AUTOMATIC, *_MANUAL, *_CANCELLING, *_ATTEMPTS)

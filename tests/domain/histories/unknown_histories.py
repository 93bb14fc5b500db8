"""Lost responses, and refusals of what did happen: each row is a history and its end."""

from typing import Final

from domain.status import CancelCause, ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    cancel,
    canceled,
    capture,
    confirm,
    create,
    failed,
    key,
    payment_fact,
    refund,
    refused,
    requested_refund_fact,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import Meaning, RefundMeaning

_OPEN, _PENDING = ProviderStatus.OPEN, ProviderStatus.PENDING
_ACTION_NEEDED = ProviderStatus.ACTION_NEEDED
_ACTION_NEEDED, _AUTHORIZED = ProviderStatus.ACTION_NEEDED, ProviderStatus.AUTHORIZED
_SUCCEEDED = ProviderStatus.SUCCEEDED
_ACKNOWLEDGED = Reported(acknowledged(), needs="create")
_PAID = Meaning(Status.SUCCEEDED, authorized=1000, captured=1000)


def _attempt_fact(call: str, status: ProviderStatus, second: int, event_id: str) -> Reported:
    """A fact about an attempt; it names the call that started the attempt."""
    needs = "" if call == "create" else call
    return Reported(
        payment_fact(status, second, caused_by=key(call), event_id=event_id), needs=needs
    )


_UNKNOWN: Final = (
    History(
        "the create's response is lost, a webhook names the object",
        create(),
        (
            Reported(payment_fact(_OPEN, 1)),
            Reported(payment_fact(_PENDING, 3)),
            cancel(),
            Reported(acknowledged("cancel:1"), needs="cancel:1"),
            Reported(canceled(50, CancelCause.REQUESTED), needs="cancel:1"),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "the create's response is lost, and look-ups are older than the webhooks",
        create(),
        (
            _ACKNOWLEDGED,
            Reported(payment_fact(_PENDING, 3)),
            Reported(payment_fact(_OPEN, 2, event_id="obj_1.looked_at_early")),
            Reported(payment_fact(_PENDING, 8, event_id="obj_1.looked_at_late")),
            Reported(payment_fact(_SUCCEEDED, 6)),
            Reported(payment_fact(_SUCCEEDED, 9, event_id="obj_1.looked_at_last")),
        ),
        _PAID,
    ),
    History(
        "a capture's response is lost, a look-up finds it done",
        create(capture_method="manual"),
        (
            Reported(payment_fact(_AUTHORIZED, 3)),
            Reported(payment_fact(_AUTHORIZED, 8, event_id="obj_1.looked_at")),
            capture(600),
            Reported(
                payment_fact(_SUCCEEDED, 7, captured=600, event_id="obj_1.looked_at_last"),
                needs="capture:1",
            ),
        ),
        Meaning(Status.SUCCEEDED, authorized=1000, captured=600),
    ),
    History(
        "a failure is reported by a webhook and, while the next attempt runs, by a look-up",
        create(max_attempts=2),
        (
            Reported(failed("at_1", 2, caused_by=key("create"))),
            Reported(failed("at_1", 4, event_id="obj_1.looked_at")),
            confirm(),
            _attempt_fact("confirm:2", _ACTION_NEEDED, 3, "evt_asks"),
            Reported(payment_fact(_OPEN, 1)),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
)

_READ_LATE: Final = (
    History(
        "a log is read again: our refund's facts are read before its command",
        create(),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 4)),
            Reported(requested_refund_fact("re_1", RefundStatus.PENDING, 8, 300)),
            Reported(requested_refund_fact("re_1", RefundStatus.SUCCEEDED, 9, 300)),
            refund("re_1", 300),
        ),
        Meaning(Status.SUCCEEDED, 1000, 1000, 300, {"re_1": RefundMeaning(RefundStatus.SUCCEEDED)}),
    ),
    History(
        "a log is read again: the facts of our refund of all are read before its command",
        create(),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 4)),
            Reported(requested_refund_fact("re_1", RefundStatus.SUCCEEDED, 8, 1000)),
            Reported(requested_refund_fact("re_1", RefundStatus.FAILED, 9, 1000)),
            refund("re_1"),
        ),
        Meaning(
            Status.SUCCEEDED, 1000, 1000, 0, {"re_1": RefundMeaning(RefundStatus.FAILED, True)}
        ),
    ),
)

_REFUSED_BUT_HAPPENED: Final = (
    History(
        "a capture is refused, but took effect",
        create(capture_method="manual"),
        (
            _ACKNOWLEDGED,
            Reported(payment_fact(_AUTHORIZED, 3)),
            capture(600),
            Reported(refused("capture:1"), needs="capture:1"),
            Reported(payment_fact(_SUCCEEDED, 9, captured=600), needs="capture:1"),
        ),
        Meaning(Status.SUCCEEDED, authorized=1000, captured=600),
    ),
    History(
        "a cancel is refused, but took effect",
        create(),
        (
            _ACKNOWLEDGED,
            Reported(payment_fact(_PENDING, 3)),
            cancel(),
            Reported(refused("cancel:1"), needs="cancel:1"),
            Reported(canceled(50, CancelCause.REQUESTED), needs="cancel:1"),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "a refund is refused, but took effect",
        create(),
        (
            Reported(payment_fact(_SUCCEEDED, 4)),
            refund("re_1", 300),
            Reported(refused("refund:re_1"), needs="refund:re_1"),
            Reported(
                requested_refund_fact("re_1", RefundStatus.PENDING, 8, 300), needs="refund:re_1"
            ),
            Reported(
                requested_refund_fact("re_1", RefundStatus.SUCCEEDED, 9, 300), needs="refund:re_1"
            ),
        ),
        Meaning(Status.SUCCEEDED, 1000, 1000, 300, {"re_1": RefundMeaning(RefundStatus.SUCCEEDED)}),
    ),
    History(
        "an attempt is refused as declined, and its failure reported too",
        create(max_attempts=3),
        (
            Reported(failed("at_1", 2)),
            confirm(),
            Reported(refused("confirm:2"), needs="confirm:2"),
            Reported(failed("at_2", 5, caused_by=key("confirm:2")), needs="confirm:2"),
            confirm("op_confirm_again"),
            _attempt_fact("confirm:3", _PENDING, 7, "evt_third"),
            Reported(payment_fact(_SUCCEEDED, 8), needs="confirm:3"),
        ),
        _PAID,
    ),
    History(
        "the authorization is gone when the capture comes",
        create(capture_method="manual", max_attempts=2),
        (
            Reported(payment_fact(_OPEN, 1)),
            Reported(payment_fact(_AUTHORIZED, 3)),
            capture(),
            Reported(refused("capture:1"), needs="capture:1"),
            Reported(canceled(600_000, CancelCause.PROVIDER), needs="capture:1"),
        ),
        Meaning(Status.CANCELED),
    ),
)

UNKNOWN_HISTORIES: Final = (*_UNKNOWN, *_READ_LATE, *_REFUSED_BUT_HAPPENED)

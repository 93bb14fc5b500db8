"""Answers that never came, refusals of what did happen: each row a history and its end."""

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
    our_refund_said,
    refund,
    refused,
    said,
)
from tests.domain.histories.history import History, Told
from tests.oracle import Meaning, RefundMeaning

_OPEN, _PENDING = ProviderStatus.OPEN, ProviderStatus.PENDING
_ACTION_NEEDED = ProviderStatus.ACTION_NEEDED
_ACTION_NEEDED, _AUTHORIZED = ProviderStatus.ACTION_NEEDED, ProviderStatus.AUTHORIZED
_SUCCEEDED = ProviderStatus.SUCCEEDED
_ACKNOWLEDGED = Told(acknowledged(), needs="create")
_PAID = Meaning(Status.SUCCEEDED, authorized=1000, captured=1000)


def _of(call: str, status: ProviderStatus, second: int, event_id: str) -> Told:
    """The provider's word on an attempt, which names the call that began it."""
    needs = "" if call == "create" else call
    return Told(said(status, second, caused_by=key(call), event_id=event_id), needs=needs)


_UNKNOWN: Final = (
    History(
        "the create is never answered, a webhook names the object",
        create(),
        (
            Told(said(_OPEN, 1)),
            Told(said(_PENDING, 3)),
            cancel(),
            Told(acknowledged("cancel:1"), needs="cancel:1"),
            Told(canceled(50, CancelCause.REQUESTED), needs="cancel:1"),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "the create is never answered; looked up, its object is older than the webhooks",
        create(),
        (
            _ACKNOWLEDGED,
            Told(said(_PENDING, 3)),
            Told(said(_OPEN, 2, event_id="obj_1.looked_at_early")),
            Told(said(_PENDING, 8, event_id="obj_1.looked_at_late")),
            Told(said(_SUCCEEDED, 6)),
            Told(said(_SUCCEEDED, 9, event_id="obj_1.looked_at_last")),
        ),
        _PAID,
    ),
    History(
        "a capture is never answered, a look-up finds it done",
        create(capture_method="manual"),
        (
            Told(said(_AUTHORIZED, 3)),
            Told(said(_AUTHORIZED, 8, event_id="obj_1.looked_at")),
            capture(600),
            Told(
                said(_SUCCEEDED, 7, captured=600, event_id="obj_1.looked_at_last"),
                needs="capture:1",
            ),
        ),
        Meaning(Status.SUCCEEDED, authorized=1000, captured=600),
    ),
    History(
        "a failure is told by a webhook and, while the next attempt runs, by a look-up",
        create(max_attempts=2),
        (
            Told(failed("at_1", 2, caused_by=key("create"))),
            Told(failed("at_1", 4, event_id="obj_1.looked_at")),
            confirm(),
            _of("confirm:2", _ACTION_NEEDED, 3, "evt_asks"),
            Told(said(_OPEN, 1)),
        ),
        Meaning(Status.REQUIRES_ACTION),
    ),
)

_READ_LATE: Final = (
    History(
        "a log is read again: what became of our own refund is read before its command",
        create(),
        (
            Told(said(ProviderStatus.SUCCEEDED, 4)),
            Told(our_refund_said("re_1", RefundStatus.PENDING, 8, 300)),
            Told(our_refund_said("re_1", RefundStatus.SUCCEEDED, 9, 300)),
            refund("re_1", 300),
        ),
        Meaning(Status.SUCCEEDED, 1000, 1000, 300, {"re_1": RefundMeaning(RefundStatus.SUCCEEDED)}),
    ),
)

_HAPPENED_AFTER_ALL: Final = (
    History(
        "a capture is refused, and happened after all",
        create(capture_method="manual"),
        (
            _ACKNOWLEDGED,
            Told(said(_AUTHORIZED, 3)),
            capture(600),
            Told(refused("capture:1"), needs="capture:1"),
            Told(said(_SUCCEEDED, 9, captured=600), needs="capture:1"),
        ),
        Meaning(Status.SUCCEEDED, authorized=1000, captured=600),
    ),
    History(
        "a cancel is refused, and happened after all",
        create(),
        (
            _ACKNOWLEDGED,
            Told(said(_PENDING, 3)),
            cancel(),
            Told(refused("cancel:1"), needs="cancel:1"),
            Told(canceled(50, CancelCause.REQUESTED), needs="cancel:1"),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "a refund is refused, and happened after all",
        create(),
        (
            Told(said(_SUCCEEDED, 4)),
            refund("re_1", 300),
            Told(refused("refund:re_1"), needs="refund:re_1"),
            Told(our_refund_said("re_1", RefundStatus.PENDING, 8, 300), needs="refund:re_1"),
            Told(our_refund_said("re_1", RefundStatus.SUCCEEDED, 9, 300), needs="refund:re_1"),
        ),
        Meaning(Status.SUCCEEDED, 1000, 1000, 300, {"re_1": RefundMeaning(RefundStatus.SUCCEEDED)}),
    ),
    History(
        "an attempt is refused as declined, and its failure told too",
        create(max_attempts=3),
        (
            Told(failed("at_1", 2)),
            confirm(),
            Told(refused("confirm:2"), needs="confirm:2"),
            Told(failed("at_2", 5, caused_by=key("confirm:2")), needs="confirm:2"),
            confirm("op_confirm_again"),
            _of("confirm:3", _PENDING, 7, "evt_third"),
            Told(said(_SUCCEEDED, 8), needs="confirm:3"),
        ),
        _PAID,
    ),
    History(
        "the authorization is gone when the capture comes",
        create(capture_method="manual", max_attempts=2),
        (
            Told(said(_OPEN, 1)),
            Told(said(_AUTHORIZED, 3)),
            capture(),
            Told(refused("capture:1"), needs="capture:1"),
            Told(canceled(600_000, CancelCause.PROVIDER), needs="capture:1"),
        ),
        Meaning(Status.CANCELED),
    ),
)

UNKNOWN_HISTORIES: Final = (*_UNKNOWN, *_READ_LATE, *_HAPPENED_AFTER_ALL)

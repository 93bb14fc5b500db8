"""Whole lives, from the first attempt to the last dispute: each row is a history and its end."""

from typing import Final

from domain.inputs import Movement
from domain.status import DisputeStatus, ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    capture,
    confirm,
    create,
    dispute_fact,
    failed,
    key,
    payment_fact,
    refund,
    reinstated,
    requested_refund_fact,
    withdrawn,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import DisputeMeaning, Meaning, RefundMeaning

_PENDING = ProviderStatus.PENDING
_ACTION_NEEDED, _AUTHORIZED = ProviderStatus.ACTION_NEEDED, ProviderStatus.AUTHORIZED
_SUCCEEDED = ProviderStatus.SUCCEEDED
_ACKNOWLEDGED = Reported(acknowledged(), needs="create")
_PAID = Meaning(Status.SUCCEEDED, authorized=1000, captured=1000)
_REFUNDED, _RETURNED = RefundStatus.SUCCEEDED, RefundStatus.FAILED
_OUT, _BACK = withdrawn("mv_out"), reinstated("mv_back")


def _attempt_fact(call: str, status: ProviderStatus, second: int, event_id: str) -> Reported:
    """A fact about an attempt; it names the call that started the attempt."""
    needs = "" if call == "create" else call
    return Reported(
        payment_fact(status, second, caused_by=key(call), event_id=event_id), needs=needs
    )


def _refunded(refund_id: str, status: RefundStatus, second: int, amount: int) -> Reported:
    return Reported(
        requested_refund_fact(refund_id, status, second, amount), needs=f"refund:{refund_id}"
    )


def _disputed(status: DisputeStatus, second: int, needs: str, *movements: Movement) -> Reported:
    return Reported(dispute_fact("dp_1", status, second, movements=movements), needs=needs)


LIFE_HISTORIES: Final = (
    History(
        "another card, the customer acts, captured, refunded, returned, disputed, lost and won",
        create(max_attempts=2),
        (
            _ACKNOWLEDGED,
            Reported(failed("at_1", 2)),
            confirm(),
            _attempt_fact("confirm:2", _ACTION_NEEDED, 5, "evt_asks"),
            Reported(payment_fact(_SUCCEEDED, 7), needs="confirm:2"),
            refund("re_1", 300),
            _refunded("re_1", RefundStatus.PENDING, 10, 300),
            _refunded("re_1", _REFUNDED, 11, 300),
            _refunded("re_1", _RETURNED, 40, 300),
            refund("re_2", 200),
            _refunded("re_2", _REFUNDED, 11, 200),
            _disputed(DisputeStatus.NEEDS_RESPONSE, 30, "confirm:2", _OUT),
            _disputed(DisputeStatus.LOST, 31, "confirm:2", _OUT),
            _disputed(DisputeStatus.WON, 32, "confirm:2", _BACK),
        ),
        Meaning(
            Status.SUCCEEDED,
            1000,
            1000,
            200,
            {"re_1": RefundMeaning(_RETURNED, reversed=True), "re_2": RefundMeaning(_REFUNDED)},
            {"dp_1": DisputeMeaning(DisputeStatus.WON, {"EUR": (1000, 1000, 0)})},
        ),
    ),
    History(
        "authorized, captured in part, refunded in parts, an inquiry",
        create(capture_method="manual", max_attempts=2),
        (
            _ACKNOWLEDGED,
            Reported(payment_fact(_PENDING, 2)),
            Reported(payment_fact(_AUTHORIZED, 3)),
            capture(800),
            Reported(acknowledged("capture:1"), needs="capture:1"),
            Reported(payment_fact(_SUCCEEDED, 9, captured=800), needs="capture:1"),
            refund("re_1", 500),
            Reported(acknowledged("refund:re_1"), needs="refund:re_1"),
            _refunded("re_1", _REFUNDED, 12, 500),
            refund("re_2"),
            _refunded("re_2", RefundStatus.PENDING, 12, 300),
            _refunded("re_2", _REFUNDED, 13, 300),
            _disputed(DisputeStatus.WARNING_NEEDS_RESPONSE, 30, "capture:1"),
            _disputed(DisputeStatus.WARNING_CLOSED, 31, "capture:1"),
        ),
        Meaning(
            Status.SUCCEEDED,
            1000,
            800,
            800,
            {"re_1": RefundMeaning(_REFUNDED), "re_2": RefundMeaning(_REFUNDED)},
            {"dp_1": DisputeMeaning(DisputeStatus.WARNING_CLOSED)},
        ),
    ),
)

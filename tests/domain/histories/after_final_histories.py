"""Refunds and disputes of captured money: each row is a history and its end.

The payment stays SUCCEEDED throughout.
"""

from typing import Final

from domain.inputs import Movement
from domain.status import DisputeStatus, ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    create,
    dispute_fact,
    payment_fact,
    refund,
    refund_fact,
    refused,
    reinstated,
    requested_refund_fact,
    withdrawn,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import DisputeMeaning, Meaning, RefundMeaning

_PENDING, _RETURNED = RefundStatus.PENDING, RefundStatus.FAILED
_REFUNDED = RefundStatus.SUCCEEDED
_CAPTURED = Reported(payment_fact(ProviderStatus.SUCCEEDED, 4))
_OUT, _BACK = withdrawn("mv_out"), reinstated("mv_back")


def _requested(refund_id: str, status: RefundStatus, second: int, amount: int) -> Reported:
    """A fact about a requested refund; it can't come before the request."""
    return Reported(
        requested_refund_fact(refund_id, status, second, amount), needs=f"refund:{refund_id}"
    )


def _made_at_provider(refund_id: str, status: RefundStatus, second: int, amount: int) -> Reported:
    """A fact about a refund made at the provider."""
    return Reported(refund_fact(refund_id, status, second, amount))


def _disputed(
    status: DisputeStatus, second: int, *movements: Movement, of: str = "dp_1"
) -> Reported:
    return Reported(dispute_fact(of, status, second, movements=movements))


def _paid(
    refunded: int = 0,
    *,
    refunds: dict[str, RefundMeaning] | None = None,
    disputes: dict[str, DisputeMeaning] | None = None,
) -> Meaning:
    return Meaning(Status.SUCCEEDED, 1000, 1000, refunded, refunds or {}, disputes or {})


_WITHOUT_PAYMENT_FACTS: Final = (
    History(
        "only a refund is reported",
        create(),
        (_made_at_provider("re_1", _REFUNDED, 10, 250),),
        Meaning(Status.PROCESSING, refunds={"re_1": RefundMeaning(_REFUNDED)}),
    ),
    History(
        "only a dispute is reported",
        create(),
        (_disputed(DisputeStatus.LOST, 10, _OUT),),
        Meaning(
            Status.PROCESSING,
            disputes={"dp_1": DisputeMeaning(DisputeStatus.LOST, {"EUR": (1000, 0, 0)})},
        ),
    ),
)

_REFUNDS: Final = (
    History(
        "two partial refunds, the second of all that is left",
        create(),
        (
            _CAPTURED,
            refund("re_1", 300),
            _requested("re_1", _PENDING, 10, 300),
            _requested("re_1", _REFUNDED, 10, 300),
            refund("re_2"),
            Reported(acknowledged("refund:re_2"), needs="refund:re_2"),
            _requested("re_2", _REFUNDED, 11, 700),
        ),
        _paid(1000, refunds={"re_1": RefundMeaning(_REFUNDED), "re_2": RefundMeaning(_REFUNDED)}),
    ),
    History(
        "a refund waits and then fails",
        create(),
        (
            _CAPTURED,
            refund("re_1", 300),
            _requested("re_1", _PENDING, 10, 300),
            _requested("re_1", RefundStatus.REQUIRES_ACTION, 11, 300),
            _requested("re_1", _RETURNED, 12, 300),
        ),
        _paid(refunds={"re_1": RefundMeaning(_RETURNED)}),
    ),
    History(
        "the bank returns a refund that had succeeded",
        create(),
        (
            _CAPTURED,
            refund("re_1", 300),
            _requested("re_1", _REFUNDED, 12, 300),
            refund("re_2", 200),
            _requested("re_2", _REFUNDED, 10, 200),
            _requested("re_1", _RETURNED, 12, 300),
        ),
        _paid(
            200,
            refunds={
                "re_1": RefundMeaning(_RETURNED, reversed=True),
                "re_2": RefundMeaning(_REFUNDED),
            },
        ),
    ),
    History(
        "a refund comes back and another is made at the provider",
        create(),
        (
            _CAPTURED,
            _made_at_provider("re_1", _REFUNDED, 10, 1000),
            _made_at_provider("re_1", _RETURNED, 20, 1000),
            _made_at_provider("re_2", _REFUNDED, 30, 1000),
        ),
        _paid(
            1000,
            refunds={
                "re_1": RefundMeaning(_RETURNED, reversed=True),
                "re_2": RefundMeaning(_REFUNDED),
            },
        ),
    ),
    History(
        "one refund is refused, another still pending",
        create(),
        (
            _CAPTURED,
            refund("re_1", 300),
            Reported(refused("refund:re_1"), needs="refund:re_1"),
            refund("re_2", 200),
            _requested("re_2", _PENDING, 10, 200),
        ),
        _paid(refunds={"re_1": RefundMeaning(_RETURNED), "re_2": RefundMeaning(_PENDING)}),
    ),
    History(
        "refunded at the provider, not requested",
        create(),
        (
            _CAPTURED,
            _made_at_provider("re_1", _PENDING, 10, 250),
            _made_at_provider("re_1", _REFUNDED, 20, 250),
            _made_at_provider("re_2", RefundStatus.CANCELED, 5, 250),
        ),
        _paid(
            250,
            refunds={
                "re_1": RefundMeaning(_REFUNDED),
                "re_2": RefundMeaning(RefundStatus.CANCELED),
            },
        ),
    ),
)

_DISPUTES: Final = (
    History(
        "a dispute is lost, then won, its money out and back",
        create(),
        (
            _CAPTURED,
            _disputed(DisputeStatus.NEEDS_RESPONSE, 30),
            _disputed(DisputeStatus.UNDER_REVIEW, 31, _OUT),
            _disputed(DisputeStatus.LOST, 32, _OUT),
            _disputed(DisputeStatus.WON, 33),
            _disputed(DisputeStatus.UNDER_REVIEW, 34, _BACK),
        ),
        _paid(disputes={"dp_1": DisputeMeaning(DisputeStatus.WON, {"EUR": (1000, 1000, 0)})}),
    ),
    History(
        "funds are withdrawn, which is not a loss",
        create(),
        (
            _CAPTURED,
            _disputed(DisputeStatus.NEEDS_RESPONSE, 30),
            _disputed(DisputeStatus.NEEDS_RESPONSE, 31, _OUT),
        ),
        _paid(
            disputes={"dp_1": DisputeMeaning(DisputeStatus.NEEDS_RESPONSE, {"EUR": (1000, 0, 0)})}
        ),
    ),
    History(
        "a warning is closed, and another dispute is prevented",
        create(),
        (
            _CAPTURED,
            _disputed(DisputeStatus.WARNING_NEEDS_RESPONSE, 30),
            _disputed(DisputeStatus.WARNING_UNDER_REVIEW, 31),
            _disputed(DisputeStatus.WARNING_CLOSED, 31),
            _disputed(DisputeStatus.PREVENTED, 40, of="dp_2"),
        ),
        _paid(
            disputes={
                "dp_1": DisputeMeaning(DisputeStatus.WARNING_CLOSED),
                "dp_2": DisputeMeaning(DisputeStatus.PREVENTED),
            }
        ),
    ),
    History(
        "refunded and disputed, eight facts",
        create(),
        (
            Reported(payment_fact(ProviderStatus.OPEN, 1)),
            Reported(payment_fact(ProviderStatus.ACTION_NEEDED, 2)),
            Reported(payment_fact(ProviderStatus.PENDING, 3)),
            _CAPTURED,
            refund("re_1", 400),
            _requested("re_1", _REFUNDED, 10, 400),
            _requested("re_1", _RETURNED, 20, 400),
            _disputed(DisputeStatus.LOST, 32, _OUT),
            _disputed(DisputeStatus.WON, 33, _OUT, _BACK),
        ),
        _paid(
            refunds={"re_1": RefundMeaning(_RETURNED, reversed=True)},
            disputes={"dp_1": DisputeMeaning(DisputeStatus.WON, {"EUR": (1000, 1000, 0)})},
        ),
    ),
)

AFTER_FINAL_HISTORIES: Final = (*_WITHOUT_PAYMENT_FACTS, *_REFUNDS, *_DISPUTES)

"""Refunds that say they are ours, and aren't: each row a history and its end.

Anybody with access to the provider writes what they like on a refund. What our own call was
answered with, and its key in an event, nobody can choose.
"""

from typing import Final

from domain.status import ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    create,
    key,
    our_refund_said,
    refund,
    refund_said,
    refused,
    said,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import Meaning, RefundMeaning

_PENDING, _FAILED = RefundStatus.PENDING, RefundStatus.FAILED
_REFUNDED, _ASKED = RefundStatus.SUCCEEDED, RefundStatus.REQUESTED
_CAPTURED = Reported(said(ProviderStatus.SUCCEEDED, 4))
_ANSWERED = Reported(acknowledged("refund:re_1"), needs="refund:re_1")
_OURS = RefundMeaning(_REFUNDED)


def _paid(refunded: int, **refunds: RefundMeaning) -> Meaning:
    return Meaning(Status.SUCCEEDED, 1000, 1000, refunded, refunds)


def _claiming(refund_id: str, status: RefundStatus, second: int, amount: int) -> Reported:
    """The provider's word on a refund that somebody wrote our refund's ID on."""
    return Reported(refund_said(refund_id, status, second, amount, claims="re_1"))


def _unproven(status: RefundStatus, second: int) -> Reported:
    """The provider's word on our own refund, by an event that names no call."""
    fact = our_refund_said("re_1", status, second, 400, caused_by=None)
    return Reported(fact, needs="refund:re_1")


CLAIM_HISTORIES: Final = (
    History(
        "a refund claims to be ours in one event, and in a later one no more",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            _claiming("theirs", _PENDING, 9, 50),
            Reported(refund_said("theirs", _PENDING, 10, 50)),
        ),
        _paid(0, re_1=RefundMeaning(_ASKED)),
    ),
    History(
        "a refund claims to be one that nobody asked for on this payment",
        create(),
        (
            _CAPTURED,
            _claiming("theirs", _PENDING, 9, 50),
            _claiming("theirs", _REFUNDED, 10, 50),
        ),
        _paid(50, theirs=_OURS),
    ),
    History(
        "our refund's word comes before our call is answered, and names no call",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            _unproven(_PENDING, 9),
            _unproven(_REFUNDED, 10),
            _ANSWERED,
        ),
        _paid(400, re_1=_OURS),
    ),
    History(
        "two refunds claim to be ours: the response to our call decides",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            _claiming("theirs", _REFUNDED, 9, 400),
            _unproven(_REFUNDED, 10),
            _ANSWERED,
        ),
        _paid(800, re_1=_OURS, theirs=_OURS),
    ),
    History(
        "two refunds claim to be ours: the key of our call decides",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            _claiming("theirs", _REFUNDED, 9, 400),
            _unproven(_REFUNDED, 10),
            Reported(our_refund_said("re_1", _PENDING, 9, 400), needs="refund:re_1"),
        ),
        _paid(800, re_1=_OURS, theirs=_OURS),
    ),
    History(
        "another refund fails under the ID of ours",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            Reported(our_refund_said("re_1", _REFUNDED, 9, 400), needs="refund:re_1"),
            _claiming("theirs", _PENDING, 9, 50),
            _claiming("theirs", _FAILED, 10, 50),
        ),
        _paid(400, re_1=_OURS, theirs=RefundMeaning(_FAILED)),
    ),
    History(
        "our refund is refused, and another one claims to be it",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            Reported(refused("refund:re_1"), needs="refund:re_1"),
            _claiming("theirs", _REFUNDED, 10, 400),
        ),
        _paid(400, re_1=RefundMeaning(_FAILED), theirs=_OURS),
    ),
    History(
        "a refund echoes the call of another payment's refund",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            Reported(
                refund_said("theirs", _REFUNDED, 9, 400, caused_by="pay_other:refund:re_1"),
                needs="refund:re_1",
            ),
        ),
        _paid(400, re_1=RefundMeaning(_ASKED), theirs=_OURS),
    ),
    History(
        "our call was made under two keys, and both happened: the response decides which is ours",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            Reported(our_refund_said("re_1", _REFUNDED, 9, 400), needs="refund:re_1"),
            Reported(
                refund_said("again", _REFUNDED, 9, 400, caused_by=key("refund:re_1.1")),
                needs="refund:re_1",
            ),
            _ANSWERED,
        ),
        _paid(800, re_1=_OURS, again=_OURS),
    ),
)

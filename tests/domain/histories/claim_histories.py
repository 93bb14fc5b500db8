"""Refunds that claim to be a requested one: each row is a history and its end.

Anybody with access to the provider can write our refund ID on a refund. Only the response to our
call, or that call's key in an event, proves the claim.
"""

from typing import Final

from domain.status import ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    create,
    key,
    payment_fact,
    refund,
    refund_fact,
    refused,
    requested_refund_fact,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import Meaning, RefundMeaning

_PENDING, _FAILED = RefundStatus.PENDING, RefundStatus.FAILED
_REFUNDED, _REQUESTED = RefundStatus.SUCCEEDED, RefundStatus.REQUESTED
_CAPTURED = Reported(payment_fact(ProviderStatus.SUCCEEDED, 4))
_RESPONSE = Reported(acknowledged("refund:re_1"), needs="refund:re_1")
_SUCCEEDED = RefundMeaning(_REFUNDED)


def _paid(refunded: int, **refunds: RefundMeaning) -> Meaning:
    return Meaning(Status.SUCCEEDED, 1000, 1000, refunded, refunds)


def _claiming(refund_id: str, status: RefundStatus, second: int, amount: int) -> Reported:
    """A fact about another refund on which somebody wrote the requested refund's ID."""
    return Reported(refund_fact(refund_id, status, second, amount, claims="re_1"))


def _unproven(status: RefundStatus, second: int) -> Reported:
    """A fact about the requested refund, from an event that names no call."""
    fact = requested_refund_fact("re_1", status, second, 400, caused_by=None)
    return Reported(fact, needs="refund:re_1")


CLAIM_HISTORIES: Final = (
    History(
        "a refund claims to be the requested one in one event, but not in a later one",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            _claiming("other", _PENDING, 9, 50),
            Reported(refund_fact("other", _PENDING, 10, 50)),
        ),
        _paid(0, re_1=RefundMeaning(_REQUESTED)),
    ),
    History(
        "a refund claims to be one that was not requested on this payment",
        create(),
        (
            _CAPTURED,
            _claiming("other", _PENDING, 9, 50),
            _claiming("other", _REFUNDED, 10, 50),
        ),
        _paid(50, other=_SUCCEEDED),
    ),
    History(
        "a fact about our refund comes before the response to our call, and names no call",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            _unproven(_PENDING, 9),
            _unproven(_REFUNDED, 10),
            _RESPONSE,
        ),
        _paid(400, re_1=_SUCCEEDED),
    ),
    History(
        "two refunds claim to be the requested one: the response to our call decides",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            _claiming("other", _REFUNDED, 9, 400),
            _unproven(_REFUNDED, 10),
            _RESPONSE,
        ),
        _paid(800, re_1=_SUCCEEDED, other=_SUCCEEDED),
    ),
    History(
        "two refunds claim to be the requested one: the key of our call decides",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            _claiming("other", _REFUNDED, 9, 400),
            _unproven(_REFUNDED, 10),
            Reported(requested_refund_fact("re_1", _PENDING, 9, 400), needs="refund:re_1"),
        ),
        _paid(800, re_1=_SUCCEEDED, other=_SUCCEEDED),
    ),
    History(
        "another refund, which claims to be the requested one, fails",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            Reported(requested_refund_fact("re_1", _REFUNDED, 9, 400), needs="refund:re_1"),
            _claiming("other", _PENDING, 9, 50),
            _claiming("other", _FAILED, 10, 50),
        ),
        _paid(400, re_1=_SUCCEEDED, other=RefundMeaning(_FAILED)),
    ),
    History(
        "our refund is refused, and another refund claims to be it",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            Reported(refused("refund:re_1"), needs="refund:re_1"),
            _claiming("other", _REFUNDED, 10, 400),
        ),
        _paid(400, re_1=RefundMeaning(_FAILED), other=_SUCCEEDED),
    ),
    History(
        "a refund echoes the call of another payment's refund",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            Reported(
                refund_fact("other", _REFUNDED, 9, 400, caused_by="pay_other:refund:re_1"),
                needs="refund:re_1",
            ),
        ),
        _paid(400, re_1=RefundMeaning(_REQUESTED), other=_SUCCEEDED),
    ),
    History(
        "somebody refunds another amount under our call's key, before or after its answer",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            Reported(requested_refund_fact("re_1", _REFUNDED, 9, 400), needs="refund:re_1"),
            Reported(
                refund_fact("other", _PENDING, 9, 300, caused_by=key("refund:re_1")),
                needs="refund:re_1",
            ),
            Reported(
                refund_fact("other", _REFUNDED, 10, 300, caused_by=key("refund:re_1.1")),
                needs="refund:re_1",
            ),
            _RESPONSE,
        ),
        _paid(700, re_1=_SUCCEEDED, other=_SUCCEEDED),
    ),
    History(
        "somebody refunds another amount under our call's key, and ours is under way",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            Reported(
                refund_fact("other", _REFUNDED, 9, 300, caused_by=key("refund:re_1")),
                needs="refund:re_1",
            ),
        ),
        _paid(300, re_1=RefundMeaning(_REQUESTED), other=_SUCCEEDED),
    ),
    History(
        "somebody changes our refund under a key that we never used",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            Reported(requested_refund_fact("re_1", _PENDING, 9, 400), needs="refund:re_1"),
            Reported(
                requested_refund_fact("re_1", _REFUNDED, 10, 400, caused_by=key("refund:re_0")),
                needs="refund:re_1",
            ),
        ),
        _paid(400, re_1=_SUCCEEDED),
    ),
    History(
        "somebody refunds a part under the key of our refund of all",
        create(),
        (
            _CAPTURED,
            refund("re_1"),
            Reported(
                refund_fact("other", _REFUNDED, 9, 300, caused_by=key("refund:re_1")),
                needs="refund:re_1",
            ),
        ),
        _paid(300, re_1=RefundMeaning(_REQUESTED), other=_SUCCEEDED),
    ),
    History(
        "our call was made under two keys, and both took effect: the response decides",
        create(),
        (
            _CAPTURED,
            refund("re_1", 400),
            Reported(requested_refund_fact("re_1", _REFUNDED, 9, 400), needs="refund:re_1"),
            Reported(
                refund_fact("again", _REFUNDED, 9, 400, caused_by=key("refund:re_1.1")),
                needs="refund:re_1",
            ),
            _RESPONSE,
        ),
        _paid(800, re_1=_SUCCEEDED, again=_SUCCEEDED),
    ),
    History(
        "one refund of ours is changed under the key of another of the same amount",
        create(),
        (
            _CAPTURED,
            refund("re_1", 300),
            refund("re_2", 300),
            Reported(requested_refund_fact("re_1", _PENDING, 9, 300), needs="refund:re_1"),
            Reported(
                requested_refund_fact("re_1", _REFUNDED, 10, 300, caused_by=key("refund:re_2")),
                needs="refund:re_2",
            ),
        ),
        _paid(300, re_1=_SUCCEEDED, re_2=RefundMeaning(_REQUESTED)),
    ),
)

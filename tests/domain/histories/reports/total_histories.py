"""Totals of what was given back, without the refunds: each row is a history and its end."""

from typing import Any, Final

from domain.inputs import RefundFact
from domain.status import CancelCause, ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    at,
    canceled,
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

_SUCCEEDED = RefundStatus.SUCCEEDED
_GIVEN, _BACK = RefundMeaning(_SUCCEEDED), RefundMeaning(RefundStatus.FAILED)
_PAID = Reported(payment_fact(ProviderStatus.SUCCEEDED, 4))


def _named(name: str, amount: int, second: int, **more: Any) -> RefundFact:
    return refund_fact(name, _SUCCEEDED, second, amount, **{"made_at": at(second), **more})


def _total(amount: int, second: int, needs: str = "", **more: Any) -> Reported:
    changes = {"is_total": True, "may_be_release": True, "event_id": f"evt_total_{second}", **more}
    return Reported(refund_fact("total", _SUCCEEDED, second, amount, **changes), needs=needs)


def _paid(refunded: int, captured: int = 1000, **refunds: RefundMeaning) -> Meaning:
    return Meaning(
        Status.SUCCEEDED, authorized=1000, captured=captured, refunded=refunded, refunds=refunds
    )


TOTAL_HISTORIES: Final = (
    History(
        "somebody gives back twice, and only totals say so",
        create(),
        (_PAID, _total(400, 10), _total(700, 20)),
        _paid(700, total=_GIVEN),
    ),
    History(
        "a refund fails within the second of the total that has it",
        create(),
        (
            _PAID,
            _total(400, 10),
            Reported(refund_fact("one", RefundStatus.FAILED, 10, 400, made_at=at(10))),
        ),
        _paid(0, one=RefundMeaning(RefundStatus.FAILED)),
    ),
    History(
        "a total names its refund, and a later one another",
        create(),
        (
            _PAID,
            _total(400, 10, listed=(_named("one", 400, 10),)),
            _total(700, 20, listed=(_named("one", 400, 10), _named("two", 300, 20))),
        ),
        _paid(700, one=_GIVEN, two=_GIVEN),
    ),
    History(
        "a refund that only a total reports is named by a later report",
        create(),
        (_PAID, _total(700, 10), Reported(_named("one", 400, 9))),
        _paid(700, one=_GIVEN, total=_GIVEN),
    ),
    History(
        "our own refund, of which only a total with its key reports",
        create(),
        (
            _PAID,
            refund("re_1", 400),
            Reported(acknowledged("refund:re_1"), needs="refund:re_1"),
            _total(400, 10, "refund:re_1", caused_by=key("refund:re_1")),
        ),
        _paid(400, re_1=_GIVEN),
    ),
    History(
        "our own refund and somebody else's, in totals alone",
        create(),
        (
            _PAID,
            refund("re_1", 400),
            _total(400, 10, "refund:re_1", caused_by=key("refund:re_1.1")),
            _total(500, 20),
        ),
        _paid(500, re_1=_GIVEN, total=_GIVEN),
    ),
    History(
        "our own refund is in a total, and fails later",
        create(),
        (
            _PAID,
            refund("re_1", 400),
            _total(400, 10, "refund:re_1", caused_by=key("refund:re_1")),
            Reported(
                requested_refund_fact("re_1", RefundStatus.FAILED, 30, 400, made_at=at(10)),
                needs="refund:re_1",
            ),
        ),
        _paid(0, re_1=_BACK),
    ),
    History(
        "a report of a refund that counts nothing proves that ours was made",
        create(),
        (
            _PAID,
            refund("re_1", 400),
            _total(0, 10, "refund:re_1", caused_by=key("refund:re_1")),
            _total(700, 9, "refund:re_1"),
        ),
        _paid(700, re_1=_GIVEN, total=_GIVEN),
    ),
    History(
        "somebody gives back less under the key of our own refund, which is on its way",
        create(),
        (
            _PAID,
            refund("re_1", 400),
            _total(300, 10, "refund:re_1", caused_by=key("refund:re_1")),
            _total(0, 11, "refund:re_1", caused_by=key("refund:re_1.1")),
        ),
        _paid(300, re_1=RefundMeaning(RefundStatus.REQUESTED), total=_GIVEN),
    ),
    History(
        "somebody gives back another amount under the key of our own refund, by name",
        create(),
        (
            _PAID,
            refund("re_1", 400),
            _total(
                600,
                10,
                "refund:re_1",
                caused_by=key("refund:re_1"),
                listed=(_named("other", 600, 10, caused_by=key("refund:re_1")),),
            ),
        ),
        _paid(600, re_1=RefundMeaning(RefundStatus.REQUESTED), other=_GIVEN),
    ),
    History(
        "a total has the keys of two refunds of ours, and room for the one that was answered",
        create(),
        (
            _PAID,
            refund("re_1", 400),
            refund("re_2", 500),
            _total(10, 9, "refund:re_1", caused_by=key("refund:re_1")),
            _total(510, 10, "refund:re_2", caused_by=key("refund:re_2")),
            Reported(acknowledged("refund:re_2"), needs="refund:re_2"),
        ),
        _paid(510, re_1=RefundMeaning(RefundStatus.REQUESTED), re_2=_GIVEN, total=_GIVEN),
    ),
    History(
        "somebody gives back while our own refund is on its way",
        create(),
        (_PAID, refund("re_1", 400), _total(500, 10)),
        _paid(500, re_1=RefundMeaning(RefundStatus.REQUESTED), total=_GIVEN),
    ),
    History(
        "somebody captures a part, and a total has the rest in it",
        create(capture_method="manual"),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=700)),
            _total(300, 9),
            _total(500, 20),
        ),
        _paid(200, captured=700, total=_GIVEN),
    ),
    History(
        "somebody captures a part, a report names the rest, and totals have it in them",
        create(capture_method="manual"),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=700)),
            Reported(_named("let_go", 300, 9, may_be_release=True)),
            _total(300, 9),
            _total(500, 20),
        ),
        _paid(200, captured=700, total=_GIVEN),
    ),
    History(
        "somebody captures a part with a later version, and gives back less than the rest",
        create(capture_method="manual"),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=600)),
            _total(300, 20),
            _total(500, 30),
        ),
        _paid(500, captured=600, total=_GIVEN),
    ),
    History(
        "somebody captures a part with a later version, and gives back more than the rest",
        create(capture_method="manual"),
        (Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=600)), _total(500, 20)),
        _paid(500, captured=600, total=_GIVEN),
    ),
    History(
        "a total is less than the rest, so a refund of exactly the rest is a real one",
        create(capture_method="manual"),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=600)),
            _total(100, 20),
            Reported(_named("given", 400, 30, may_be_release=True)),
        ),
        _paid(500, captured=600, total=_GIVEN, given=_GIVEN),
    ),
    History(
        "a total has the rest in it and a refund of the same amount, which fails",
        create(capture_method="manual"),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=600)),
            _total(800, 20),
            Reported(
                refund_fact(
                    "one", RefundStatus.FAILED, 90, 400, made_at=at(20), may_be_release=True
                )
            ),
        ),
        _paid(0, captured=600, one=_BACK),
    ),
    History(
        "a later total is less, because somebody's refund was returned",
        create(),
        (_PAID, _total(700, 10), _total(400, 20)),
        _paid(400, total=_GIVEN),
    ),
    History(
        "our own refund is refused, and a total carries its key",
        create(),
        (
            _PAID,
            refund("re_1", 400),
            Reported(refused("refund:re_1"), needs="refund:re_1"),
            _total(400, 10, "refund:re_1", caused_by=key("refund:re_1")),
        ),
        _paid(400, re_1=RefundMeaning(RefundStatus.FAILED), total=_GIVEN),
    ),
    History(
        "somebody captures a part, and a total has the named rest and a refund in it",
        create(capture_method="manual"),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=700)),
            Reported(_named("let_go", 300, 9, may_be_release=True)),
            _total(500, 20),
        ),
        _paid(200, captured=700, total=_GIVEN),
    ),
    History(
        "an authorization is cancelled, and a total has all of it",
        create(capture_method="manual"),
        (Reported(canceled(50, CancelCause.PROVIDER)), _total(1000, 50)),
        Meaning(Status.CANCELED),
    ),
    History(
        "somebody captures a part, and our own answered refund is in a total with the named rest",
        create(capture_method="manual"),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=700)),
            Reported(_named("let_go", 300, 9, may_be_release=True)),
            _total(300, 9),
            refund("re_1", 200),
            _total(500, 20, "refund:re_1", caused_by=key("refund:re_1")),
            Reported(acknowledged("refund:re_1"), needs="refund:re_1"),
        ),
        _paid(200, captured=700, re_1=_GIVEN),
    ),
    History(
        "after the answer to our refund in a total, the client refunds all that is left",
        create(),
        (
            _PAID,
            refund("re_1", 400),
            Reported(acknowledged("refund:re_1"), needs="refund:re_1"),
            _total(400, 10, "refund:re_1", caused_by=key("refund:re_1")),
            refund("re_2"),
        ),
        _paid(400, re_1=_GIVEN, re_2=RefundMeaning(RefundStatus.REQUESTED)),
    ),
    History(
        "a total is less than the rest and a later one more, so a refund of the rest is a real one",
        create(capture_method="manual"),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=600)),
            _total(100, 20),
            Reported(_named("given", 400, 30, may_be_release=True)),
            _total(500, 30),
        ),
        _paid(500, captured=600, total=_GIVEN, given=_GIVEN),
    ),
    History(
        "a total is less than the rest and a later one more than was captured",
        create(capture_method="manual"),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=600)),
            _total(100, 20),
            _total(550, 30),
            _total(700, 40),
            _total(500, 50),
        ),
        _paid(500, captured=600, total=_GIVEN),
    ),
    History(
        "somebody captures a part, the rest is named, a total with our key counts nothing",
        create(capture_method="manual"),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=700)),
            refund("re_1", 200),
            Reported(_named("let_go", 300, 9, may_be_release=True)),
            _total(0, 10, "refund:re_1", caused_by=key("refund:re_1")),
        ),
        _paid(0, captured=700, re_1=RefundMeaning(RefundStatus.REQUESTED)),
    ),
    History(
        "an authorization is cancelled, and a total that has no release in it is reported",
        create(capture_method="manual"),
        (Reported(canceled(50, CancelCause.PROVIDER)), _total(400, 50, may_be_release=False)),
        Meaning(Status.CANCELED),
    ),
    History(
        "a total has the rest in it, and the latest one is of a version without releases",
        create(capture_method="manual"),
        (
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=700)),
            _total(300, 9),
            _total(500, 20, may_be_release=False),
        ),
        _paid(500, captured=700, total=_GIVEN),
    ),
    History(
        "a refund is returned before the total, which does not have it in it",
        create(),
        (
            _PAID,
            Reported(refund_fact("one", RefundStatus.FAILED, 10, 400, made_at=at(9))),
            _total(300, 20),
        ),
        _paid(300, one=_BACK, total=_GIVEN),
    ),
    History(
        "our own refund is named, and a total with its key has another one of its amount",
        create(),
        (
            _PAID,
            refund("re_1", 400),
            Reported(
                requested_refund_fact("re_1", _SUCCEEDED, 9, 400, made_at=at(9)),
                needs="refund:re_1",
            ),
            _total(800, 10, "refund:re_1", caused_by=key("refund:re_1")),
        ),
        _paid(800, re_1=_GIVEN, total=_GIVEN),
    ),
    History(
        "a refund that does not say when it was made was under way before the total",
        create(),
        (
            _PAID,
            Reported(refund_fact("one", RefundStatus.PENDING, 5, 400)),
            _total(400, 10),
            Reported(refund_fact("one", _SUCCEEDED, 30, 400)),
        ),
        _paid(400, one=_GIVEN),
    ),
    History(
        "somebody captures a part with a later version, and gives exactly that back",
        create(capture_method="manual"),
        (Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=600)), _total(600, 20)),
        _paid(600, captured=600, total=_GIVEN),
    ),
    History(
        "somebody gives the least amount back, and only a total says so",
        create(),
        (_PAID, _total(1, 10)),
        _paid(1, total=_GIVEN),
    ),
)

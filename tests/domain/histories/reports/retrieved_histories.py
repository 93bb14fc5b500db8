"""Refunds, disputes and fraud warnings that were looked at, where webhooks were lost or late.

Each row is a history and its end. What is seen has the time at which it was looked at or a little
less, names no call, and a refund does not say whether it is a released authorization.
"""

from typing import Any, Final, TypeVar

from msgspec.structs import replace

from domain.inputs import DisputeFact, FraudWarningFact, Movement, RefundFact
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    at,
    canceled,
    capture,
    create,
    dispute_fact,
    fraud_warning,
    payment_fact,
    refund,
    refund_fact,
    reinstated,
    requested_refund_fact,
    withdrawn,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import DisputeMeaning, Meaning, RefundMeaning

Part = TypeVar("Part", RefundFact, DisputeFact, FraudWarningFact)

_CAPTURED: Final = Reported(payment_fact(ProviderStatus.SUCCEEDED, 4))
_HELD: Final = Reported(payment_fact(ProviderStatus.AUTHORIZED, 3))
_PENDING, _FAILED = RefundStatus.PENDING, RefundStatus.FAILED
_SUCCEEDED: Final = RefundStatus.SUCCEEDED
_NEEDS, _REVIEW = DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW
_LOST, _WON = DisputeStatus.LOST, DisputeStatus.WON
_GIVEN: Final = RefundMeaning(_SUCCEEDED)


def _seen(fact: Part) -> Part:
    """Returns what a look at the part finds, in place of an event about it."""
    fact = replace(fact, event_id=f"seen_{fact.event_id}")
    if isinstance(fact, RefundFact):
        return replace(fact, caused_by=None, may_be_release=True, made_at=fact.made_at or at(60))
    return fact


def _given(name: str, status: RefundStatus, second: int, amount: int, **more: Any) -> Reported:
    return Reported(refund_fact(name, status, second, amount, made_at=at(60), **more))


def _seen_given(name: str, status: RefundStatus, second: int, amount: int) -> Reported:
    return Reported(_seen(refund_fact(name, status, second, amount)))


def _disputed(status: DisputeStatus, second: int, *movements: Movement, **more: Any) -> Reported:
    return Reported(dispute_fact("dp_1", status, second, movements=movements, **more))


def _seen_disputed(status: DisputeStatus, second: int, *moved: Movement, **more: Any) -> Reported:
    return Reported(_seen(dispute_fact("dp_1", status, second, movements=moved, **more)))


def _paid(captured: int = 1000, refunded: int = 0, **refunds: RefundMeaning) -> Meaning:
    return Meaning(Status.SUCCEEDED, 1000, captured, refunded, refunds)


def _with_dispute(dispute: DisputeMeaning) -> Meaning:
    return Meaning(Status.SUCCEEDED, 1000, 1000, disputes={"dp_1": dispute})


RETRIEVED_HISTORIES: Final = (
    History(
        "no webhook reports a refund, and a look finds it",
        create(),
        (_CAPTURED, _seen_given("given", _SUCCEEDED, 90, 300)),
        _paid(1000, 300, given=_GIVEN),
    ),
    History(
        "a refund is seen while it is pending, and a later look finds that it failed",
        create(),
        (
            _CAPTURED,
            _seen_given("given", _PENDING, 61, 300),
            _given("given", _SUCCEEDED, 62, 300),
            _seen_given("given", _FAILED, 90, 300),
        ),
        _paid(1000, 0, given=RefundMeaning(_FAILED, reversed=True)),
    ),
    History(
        "a look finds the state before the webhook, and seems to be later",
        create(),
        (
            _CAPTURED,
            _given("given", _SUCCEEDED, 62, 300),
            _seen_given("given", _PENDING, 63, 300),
        ),
        _paid(1000, 300, given=_GIVEN),
    ),
    History(
        "a look finds our own refund, which the answer to our call proves",
        create(),
        (
            _CAPTURED,
            refund("re_1", 300),
            Reported(acknowledged("refund:re_1"), needs="refund:re_1"),
            Reported(
                _seen(requested_refund_fact("re_1", _SUCCEEDED, 90, 300, ref="psp_made_re_1")),
                needs="refund:re_1",
            ),
        ),
        _paid(1000, 300, re_1=_GIVEN),
    ),
    History(
        "a look finds our own refund that only its metadata names",
        create(),
        (
            _CAPTURED,
            refund("re_1", 300),
            Reported(
                _seen(requested_refund_fact("re_1", _SUCCEEDED, 90, 300)), needs="refund:re_1"
            ),
        ),
        _paid(1000, 300, re_1=RefundMeaning(RefundStatus.REQUESTED)),
    ),
    History(
        "a webhook with the key of our refund comes after the look",
        create(),
        (
            _CAPTURED,
            refund("re_1", 300),
            Reported(
                _seen(requested_refund_fact("re_1", _SUCCEEDED, 90, 300)), needs="refund:re_1"
            ),
            Reported(requested_refund_fact("re_1", _PENDING, 61, 300), needs="refund:re_1"),
        ),
        _paid(1000, 300, re_1=_GIVEN),
    ),
    History(
        "a look finds the release of a cancelled authorization among the refunds",
        create(capture_method="manual"),
        (
            _HELD,
            Reported(canceled(50, CancelCause.PROVIDER)),
            _seen_given("all", _SUCCEEDED, 90, 1000),
            _given("all", _SUCCEEDED, 50, 1000, may_be_release=True),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "somebody captures a part, and a look finds the release and a refund of the same amount",
        create(capture_method="manual"),
        (
            _HELD,
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=700)),
            Reported(_seen(refund_fact("rest", _SUCCEEDED, 90, 300, made_at=at(9)))),
            Reported(_seen(refund_fact("given", _SUCCEEDED, 90, 300, made_at=at(60)))),
        ),
        _paid(700, 300, given=_GIVEN),
    ),
    History(
        "somebody captures a part, and a webhook says that the refund that is seen is a real one",
        create(capture_method="manual"),
        (
            _HELD,
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=700)),
            _seen_given("given", _SUCCEEDED, 90, 300),
            _given("given", _SUCCEEDED, 60, 300),
        ),
        _paid(700, 300, given=_GIVEN),
    ),
    History(
        "we capture a part, and every refund that is seen is a real one",
        create(capture_method="manual"),
        (
            _HELD,
            capture(700),
            Reported(payment_fact(ProviderStatus.SUCCEEDED, 9, captured=700), needs="capture:1"),
            _seen_given("given", _SUCCEEDED, 90, 300),
        ),
        _paid(700, 300, given=_GIVEN),
    ),
    History(
        "a look names the refunds that a total has without names, one of which failed since",
        create(),
        (
            _CAPTURED,
            Reported(refund_fact("total", _SUCCEEDED, 61, 300, is_total=True)),
            Reported(refund_fact("total", _SUCCEEDED, 80, 500, is_total=True)),
            _seen_given("one", _FAILED, 90, 300),
            Reported(_seen(refund_fact("two", _SUCCEEDED, 90, 200, made_at=at(80)))),
        ),
        _paid(1000, 200, one=RefundMeaning(_FAILED), two=_GIVEN),
    ),
    History(
        "no webhook reports a dispute, and a look finds it decided",
        create(),
        (_CAPTURED, _seen_disputed(_WON, 90, withdrawn("mv_out"), reinstated("mv_back"))),
        _with_dispute(DisputeMeaning(_WON, {"EUR": (1000, 1000, 0)})),
    ),
    History(
        "an inquiry is seen after the webhook of the chargeback that it became",
        create(),
        (
            _CAPTURED,
            _disputed(_NEEDS, 32, withdrawn("mv_out"), respond_by=at(800)),
            _seen_disputed(DisputeStatus.WARNING_CLOSED, 33),
        ),
        _with_dispute(DisputeMeaning(_NEEDS, {"EUR": (1000, 0, 0)}, respond_by=at(800))),
    ),
    History(
        "a dispute changes in the second in which it is looked at",
        create(),
        (
            _CAPTURED,
            _seen_disputed(_NEEDS, 31, withdrawn("mv_out"), respond_by=at(800)),
            _disputed(_REVIEW, 31, withdrawn("mv_out")),
        ),
        _with_dispute(DisputeMeaning(_REVIEW, {"EUR": (1000, 0, 0)})),
    ),
    History(
        "a look finds the appeal of which no webhook came, and a movement that none reported",
        create(),
        (
            _CAPTURED,
            _disputed(_NEEDS, 31, withdrawn("mv_out")),
            _disputed(_WON, 40, withdrawn("mv_out"), reinstated("mv_back")),
            _seen_disputed(_REVIEW, 90, withdrawn("mv_out"), withdrawn("mv_again"), appeal=True),
        ),
        _with_dispute(DisputeMeaning(_REVIEW, {"EUR": (2000, 1000, 0)}, appeal=True)),
    ),
    History(
        "the webhook of the decision comes after a look that was earlier",
        create(),
        (
            _CAPTURED,
            _seen_disputed(_LOST, 40, withdrawn("mv_out")),
            _disputed(_NEEDS, 41, withdrawn("mv_out"), appeal=True, respond_by=at(700)),
            _disputed(_REVIEW, 42, withdrawn("mv_out"), appeal=True),
        ),
        _with_dispute(DisputeMeaning(_REVIEW, {"EUR": (1000, 0, 0)}, appeal=True)),
    ),
    History(
        "a fraud warning is dealt with in the second in which it is looked at",
        create(),
        (
            _CAPTURED,
            Reported(_seen(fraud_warning("fw_1", 9))),
            Reported(fraud_warning("fw_1", 9, actionable=False)),
            Reported(_seen(fraud_warning("fw_2", 90, actionable=False))),
            Reported(fraud_warning("fw_2", 8)),
        ),
        Meaning(Status.SUCCEEDED, 1000, 1000, fraud_warnings={"fw_1": False, "fw_2": False}),
    ),
)

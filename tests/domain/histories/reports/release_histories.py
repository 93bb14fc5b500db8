"""Released authorizations that are reported as refunds: each row is a history and its end."""

from typing import Any, Final

from domain.status import CancelCause, ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    at,
    cancel,
    canceled,
    capture,
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

_MANUAL = create(capture_method="manual")
_HELD = Reported(payment_fact(ProviderStatus.AUTHORIZED, 3))
_SUCCEEDED = RefundStatus.SUCCEEDED
_GIVEN = RefundMeaning(_SUCCEEDED)


def _captured(amount: int, needs: str = "", second: int = 9, **changes: Any) -> Reported:
    fact = payment_fact(ProviderStatus.SUCCEEDED, second, captured=amount, **changes)
    return Reported(fact, needs=needs)


def _candidate(name: str, amount: int, made: int, second: int = 0, **more: Any) -> Reported:
    changes = {"made_at": at(made), "may_be_release": True, **more}
    return Reported(refund_fact(name, _SUCCEEDED, second or made, amount, **changes))


def _paid(captured: int, refunded: int = 0, **refunds: RefundMeaning) -> Meaning:
    return Meaning(
        Status.SUCCEEDED, authorized=1000, captured=captured, refunded=refunded, refunds=refunds
    )


RELEASE_HISTORIES: Final = (
    History(
        "somebody captures a part, and the rest is reported as a refund",
        _MANUAL,
        (_HELD, _captured(700), _candidate("rest", 300, 9), _candidate("rest", 300, 9, 12)),
        _paid(700),
    ),
    History(
        "somebody captures a part and gives the same amount back as was let go",
        _MANUAL,
        (_HELD, _captured(700), _candidate("a_given", 300, 60), _candidate("rest", 300, 9)),
        _paid(700, 300, a_given=_GIVEN),
    ),
    History(
        "somebody captures a part, and refunds of other amounts are real",
        _MANUAL,
        (_captured(700), _candidate("less", 200, 60), _candidate("more", 400, 61)),
        _paid(700, 600, less=_GIVEN, more=_GIVEN),
    ),
    History(
        "somebody captures a part, and one of two reports says that its refund is a real one",
        _MANUAL,
        (
            _captured(700),
            _candidate("given", 300, 60),
            _candidate("given", 300, 60, 61, may_be_release=False),
        ),
        _paid(700, 300, given=_GIVEN),
    ),
    History(
        "a refund of nothing is no release of nothing",
        _MANUAL,
        (_HELD, _captured(1000), _candidate("nothing", 0, 60)),
        _paid(1000, 0, nothing=_GIVEN),
    ),
    History(
        "a refund of the amount that was let go fails in the second of the release",
        _MANUAL,
        (
            _captured(700),
            Reported(
                refund_fact(
                    "a_failed", RefundStatus.FAILED, 12, 300, made_at=at(9), may_be_release=True
                )
            ),
            _candidate("rest", 300, 9),
        ),
        _paid(700, 0, a_failed=RefundMeaning(RefundStatus.FAILED)),
    ),
    History(
        "we capture a part, which lets the rest go without a refund",
        _MANUAL,
        (_HELD, capture(700), _captured(700, "capture:1"), _candidate("given", 300, 60)),
        _paid(700, 300, given=_GIVEN),
    ),
    History(
        "somebody captures what we asked to capture, and the look-up of our call can't tell",
        _MANUAL,
        (
            _HELD,
            capture(700),
            Reported(acknowledged("capture:1"), needs="capture:1"),
            _captured(700, names_cause=True),
            _captured(700, second=20),
            _candidate("rest", 300, 9),
        ),
        _paid(700),
    ),
    History(
        "somebody captures a part under the key of a capture that we never requested",
        _MANUAL,
        (
            _HELD,
            _captured(700, names_cause=True, caused_by=key("capture:9")),
            _candidate("rest", 300, 9),
        ),
        _paid(700),
    ),
    History(
        "another payment's call captures what we asked to capture",
        _MANUAL,
        (
            _HELD,
            capture(700),
            _captured(700, names_cause=True, caused_by="pay_other:capture:1"),
            _candidate("rest", 300, 9),
        ),
        _paid(700),
    ),
    History(
        "a capture echoes a call of ours that can't capture: somebody else has used its key",
        _MANUAL,
        (
            _HELD,
            capture(700),
            _captured(700, names_cause=True, caused_by=key("create")),
            _candidate("rest", 300, 9),
        ),
        _paid(700),
    ),
    History(
        "an attempt that captures at once takes a part, and the bank gave no more",
        create(),
        (
            _captured(700, names_cause=True, caused_by=key("create.1")),
            _candidate("given", 300, 60),
        ),
        _paid(700, 300, given=_GIVEN),
    ),
    History(
        "we capture a part under a second key, and a look-up reports it again",
        _MANUAL,
        (
            _HELD,
            capture(700),
            _captured(700, "capture:1", names_cause=True, caused_by=key("capture:1.1")),
            _captured(700, "capture:1", 20),
            _candidate("given", 300, 60),
        ),
        _paid(700, 300, given=_GIVEN),
    ),
    History(
        "our own capture was refused as far as its answer says, and its event names our key",
        _MANUAL,
        (
            _HELD,
            capture(700),
            Reported(refused("capture:1"), needs="capture:1"),
            _captured(700, "capture:1", names_cause=True, caused_by=key("capture:1")),
            _candidate("given", 300, 60),
        ),
        _paid(700, 300, given=_GIVEN),
    ),
    History(
        "our own refund of the amount that was let go",
        _MANUAL,
        (
            _captured(700),
            refund("re_1", 300),
            Reported(acknowledged("refund:re_1"), needs="refund:re_1"),
            Reported(
                requested_refund_fact(
                    "re_1", _SUCCEEDED, 60, 300, made_at=at(8), may_be_release=True
                ),
                needs="refund:re_1",
            ),
            _candidate("rest", 300, 9),
        ),
        _paid(700, 300, re_1=_GIVEN),
    ),
    History(
        "our own refund of the amount that was let go, which only its answer proves",
        _MANUAL,
        (
            _captured(700),
            refund("re_1", 300),
            Reported(acknowledged("refund:re_1"), needs="refund:re_1"),
            Reported(
                refund_fact("made_re_1", _SUCCEEDED, 60, 300, made_at=at(8), may_be_release=True),
                needs="refund:re_1",
            ),
            _candidate("rest", 300, 9),
        ),
        _paid(700, 300, re_1=_GIVEN),
    ),
    History(
        "somebody captures a part under the key of our refund, which is requested later",
        _MANUAL,
        (
            _HELD,
            _captured(700),
            _candidate("rest", 300, 9, caused_by=key("refund:re_1")),
            refund("re_1", 200),
            Reported(acknowledged("refund:re_1"), needs="refund:re_1"),
        ),
        _paid(700, 0, re_1=RefundMeaning(RefundStatus.REQUESTED)),
    ),
    History(
        "somebody cancels under the key of a refund that we never requested",
        _MANUAL,
        (
            _HELD,
            Reported(canceled(50, CancelCause.PROVIDER, caused_by=key("refund:re_1"))),
            _candidate("all", 1000, 50, caused_by=key("refund:re_1")),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "an authorization is cancelled, and all of it is reported as a refund",
        _MANUAL,
        (
            _HELD,
            Reported(canceled(50, CancelCause.PROVIDER)),
            _candidate("all", 1000, 50, caused_by="somebody"),
            _candidate("all", 1000, 50, 51),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "all of it is captured, so that every refund is real",
        create(),
        (_captured(1000), _candidate("given", 1000, 60, caused_by=key("capture:1"))),
        _paid(1000, 1000, given=_GIVEN),
    ),
    History(
        "somebody lets go of half under the key of our refund of all that was captured",
        _MANUAL,
        (
            _HELD,
            _captured(500),
            _candidate("rest", 500, 9, caused_by=key("refund:re_1")),
            refund("re_1"),
        ),
        _paid(500, 500, re_1=_GIVEN),
    ),
    History(
        "our capture is refused, somebody captures its amount, and no event says who",
        _MANUAL,
        (
            _HELD,
            capture(700),
            Reported(refused("capture:1"), needs="capture:1"),
            _captured(700),
            _candidate("rest", 300, 9),
        ),
        _paid(700),
    ),
    History(
        "we ask to capture, another amount is captured, and no event says who",
        _MANUAL,
        (_HELD, capture(600), _captured(700), _candidate("rest", 300, 9)),
        _paid(700),
    ),
    History(
        "we capture a part, an earlier event names our create, and none says who captured",
        _MANUAL,
        (
            Reported(payment_fact(ProviderStatus.AUTHORIZED, 3, caused_by=key("create"))),
            capture(700),
            _captured(700, "capture:1"),
            _candidate("given", 300, 60),
        ),
        _paid(700, 300, given=_GIVEN),
    ),
    History(
        "an authorization is cancelled, and several refunds are reported",
        _MANUAL,
        (
            _HELD,
            Reported(canceled(50, CancelCause.PROVIDER)),
            _candidate("all", 1000, 50),
            _candidate("part", 300, 50),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "a refund of the amount that was let go succeeds, then fails: it was a real one",
        _MANUAL,
        (
            _captured(700),
            _candidate("given", 300, 9),
            Reported(
                refund_fact(
                    "given", RefundStatus.FAILED, 90, 300, made_at=at(9), may_be_release=True
                )
            ),
        ),
        _paid(700, 0, given=RefundMeaning(RefundStatus.FAILED, reversed=True)),
    ),
    History(
        "an older refund of the amount that was let go is under way, the release succeeded",
        _MANUAL,
        (
            _captured(700),
            Reported(
                refund_fact(
                    "a_given", RefundStatus.PENDING, 8, 300, made_at=at(8), may_be_release=True
                )
            ),
            _candidate("rest", 300, 9),
        ),
        _paid(700, 0, a_given=RefundMeaning(RefundStatus.PENDING)),
    ),
    History(
        "an older refund of the amount that was let go is a real one by its form",
        _MANUAL,
        (
            _captured(700),
            _candidate("a_given", 300, 8, may_be_release=False),
            _candidate("rest", 300, 9),
        ),
        _paid(700, 300, a_given=_GIVEN),
    ),
    History(
        "we capture all but the least part, and give that part back",
        _MANUAL,
        (_HELD, capture(999), _captured(999, "capture:1"), _candidate("given", 1, 60)),
        _paid(999, 1, given=_GIVEN),
    ),
    History(
        "a capture echoes our cancel of a payment that is captured at once",
        create(),
        (
            cancel(),
            _captured(700, "cancel:1", names_cause=True, caused_by=key("cancel:1")),
            _candidate("rest", 300, 9),
        ),
        _paid(700),
    ),
    History(
        "of two refunds of the amount that was let go, one does not say when it was made",
        _MANUAL,
        (
            _captured(700),
            _candidate("a_given", 300, 8, made_at=None),
            _candidate("rest", 300, 9),
        ),
        _paid(700, 300, a_given=_GIVEN),
    ),
    History(
        "somebody captures all but the least part, which is let go",
        _MANUAL,
        (_HELD, _captured(999), _candidate("rest", 1, 9)),
        _paid(999),
    ),
)

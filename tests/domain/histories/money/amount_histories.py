"""Amounts that others change at the provider: each row is a history and its end."""

from typing import Final

from domain.status import CancelCause, ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
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

_AUTHORIZED, _SUCCEEDED = ProviderStatus.AUTHORIZED, ProviderStatus.SUCCEEDED
_REFUNDED = RefundMeaning(RefundStatus.SUCCEEDED)
_MANUAL: Final = create(capture_method="manual")
_ACKNOWLEDGED = Reported(acknowledged(), needs="create")
_HELD = Reported(payment_fact(_AUTHORIZED, 3))
_RAISED = Reported(payment_fact(_AUTHORIZED, 5, amount=1500))
_MORE_CAPTURED = Reported(payment_fact(_SUCCEEDED, 9, amount=1500, captured=1500))


def _refunded(ref: str, amount: int, second: int = 12) -> Reported:
    return Reported(refund_fact(ref, RefundStatus.SUCCEEDED, second, amount))


AMOUNT_HISTORIES: Final = (
    History(
        "the authorization is raised twice, the second time within the same second",
        _MANUAL,
        (
            _ACKNOWLEDGED,
            _HELD,
            Reported(payment_fact(_AUTHORIZED, 5, amount=1500, event_id="evt_z")),
            Reported(payment_fact(_AUTHORIZED, 5, amount=1700, event_id="evt_a")),
        ),
        Meaning(Status.AUTHORIZED, authorized=1700),
    ),
    History(
        "less is authorized than was asked for",
        _MANUAL,
        (_ACKNOWLEDGED, Reported(payment_fact(_AUTHORIZED, 3, amount=400))),
        Meaning(Status.AUTHORIZED, authorized=400),
    ),
    History(
        "the authorization is raised, and all of it is captured for the client",
        _MANUAL,
        (
            _RAISED,
            capture(),
            Reported(acknowledged("capture:1"), needs="capture:1"),
            Reported(
                payment_fact(_SUCCEEDED, 9, amount=1500, captured=1500, caused_by=key("capture:1")),
                needs="capture:1",
            ),
        ),
        Meaning(Status.SUCCEEDED, authorized=1500, captured=1500),
    ),
    History(
        "more is captured than was asked for, and more than that is refunded",
        _MANUAL,
        (_HELD, _RAISED, _MORE_CAPTURED, _refunded("re_1", 900), _refunded("re_2", 600)),
        Meaning(
            Status.SUCCEEDED,
            authorized=1500,
            captured=1500,
            refunded=1500,
            refunds={"re_1": _REFUNDED, "re_2": _REFUNDED},
        ),
    ),
    History(
        "more is captured than was authorized, and one refund gives all of it back",
        _MANUAL,
        (
            _ACKNOWLEDGED,
            _HELD,
            Reported(payment_fact(_SUCCEEDED, 9, captured=1200)),
            _refunded("re_1", 1200),
        ),
        Meaning(
            Status.SUCCEEDED,
            authorized=1200,
            captured=1200,
            refunded=1200,
            refunds={"re_1": _REFUNDED},
        ),
    ),
    History(
        "more is captured than the client asked for, and it refunds what it asked for",
        _MANUAL,
        (
            _MORE_CAPTURED,
            refund("re_1", 1000),
            Reported(
                requested_refund_fact("re_1", RefundStatus.SUCCEEDED, 12, 1000),
                needs="refund:re_1",
            ),
        ),
        Meaning(
            Status.SUCCEEDED,
            authorized=1500,
            captured=1500,
            refunded=1000,
            refunds={"re_1": _REFUNDED},
        ),
    ),
    History(
        "the client's capture is refused, since another one has captured more",
        _MANUAL,
        (
            _HELD,
            capture(800),
            Reported(refused("capture:1"), needs="capture:1"),
            _MORE_CAPTURED,
        ),
        Meaning(Status.SUCCEEDED, authorized=1500, captured=1500),
    ),
    History(
        "a raised authorization expires",
        _MANUAL,
        (
            _HELD,
            _RAISED,
            Reported(canceled(50, CancelCause.PROVIDER)),
        ),
        Meaning(Status.CANCELED),
    ),
    History(
        "a refund of nothing beside one of something",
        create(),
        (Reported(payment_fact(_SUCCEEDED, 4)), _refunded("re_0", 0), _refunded("re_1", 100)),
        Meaning(
            Status.SUCCEEDED,
            authorized=1000,
            captured=1000,
            refunded=100,
            refunds={"re_0": _REFUNDED, "re_1": _REFUNDED},
        ),
    ),
)

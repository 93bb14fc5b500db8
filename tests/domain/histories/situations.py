"""A payment in each of its states, with the inputs that bring it there."""

from types import MappingProxyType
from typing import Final

from domain.inputs import CallResult, Command, Fact, Input
from domain.payment import Payment
from domain.status import CancelCause, ProviderStatus, RefundStatus
from tests.domain.histories.builders import (
    acknowledged,
    cancel,
    canceled,
    capture,
    confirm,
    create,
    failed,
    payment_fact,
    received,
    refund,
    refused,
    requested_refund_fact,
)
from tests.domain.histories.replay import Replay

_Body = Command | Fact | CallResult

_MANUAL = create(capture_method="manual")
_TWICE = create(max_attempts=2)
_HELD = payment_fact(ProviderStatus.AUTHORIZED, 3)
_PAID = payment_fact(ProviderStatus.SUCCEEDED, 4)

#: By the situation's name: everything received until then.
SITUATIONS: Final = MappingProxyType[str, tuple[_Body, ...]](
    {
        "created": (create(),),
        "processing": (create(), acknowledged()),
        "processing, cancelling": (create(), acknowledged(), cancel("op_before")),
        "attempts used up": (create(), acknowledged(), failed("at_1", 2)),
        "customer awaited": (
            create(),
            acknowledged(),
            payment_fact(ProviderStatus.ACTION_NEEDED, 2),
        ),
        "card awaited": (_TWICE, acknowledged(), failed("at_1", 2)),
        "card awaited, cancelling": (
            _TWICE,
            acknowledged(),
            failed("at_1", 2),
            cancel("op_before"),
        ),
        "next attempt begun": (_TWICE, acknowledged(), failed("at_1", 2), confirm("op_before")),
        "next attempt refused": (
            _TWICE,
            acknowledged(),
            failed("at_1", 2),
            confirm("op_before"),
            refused("confirm:2"),
        ),
        "authorized": (_MANUAL, acknowledged(), _HELD),
        "authorized, capturing": (_MANUAL, acknowledged(), _HELD, capture(600, "op_before")),
        "authorized, capture refused": (
            _MANUAL,
            acknowledged(),
            _HELD,
            capture(600, "op_before"),
            refused("capture:1"),
        ),
        "authorized, cancelling": (_MANUAL, acknowledged(), _HELD, cancel("op_before")),
        "succeeded": (create(), acknowledged(), _PAID),
        "succeeded in part": (
            _MANUAL,
            acknowledged(),
            _HELD,
            capture(600, "op_before"),
            payment_fact(ProviderStatus.SUCCEEDED, 4, captured=600),
        ),
        "refund of 700 pending": (
            create(),
            acknowledged(),
            _PAID,
            refund("re_0", 700),
            requested_refund_fact("re_0", RefundStatus.PENDING, 9, 700),
        ),
        "refund of 700 failed": (
            create(),
            acknowledged(),
            _PAID,
            refund("re_0", 700),
            requested_refund_fact("re_0", RefundStatus.FAILED, 9, 700),
        ),
        "refunded": (create(), acknowledged(), _PAID, refund("re_0"), acknowledged("refund:re_0")),
        "failed": (
            create(),
            acknowledged(),
            failed("at_1", 2),
            canceled(9, CancelCause.ATTEMPTS_EXHAUSTED),
        ),
        "create refused": (create(), refused("create")),
        "canceled": (
            create(),
            acknowledged(),
            canceled(9, CancelCause.PROVIDER),
        ),
    }
)


def payment_that_is(situation: str) -> Payment:
    """Return the payment in this situation."""
    return replay_until(situation).existing


def replay_until(situation: str) -> Replay:
    """Return the replay of a payment up to this situation."""
    return Replay(_records(SITUATIONS[situation]))


def _records(bodies: tuple[_Body, ...]) -> list[Input]:
    return [received(body) for body in bodies]

"""Who cancelled, where not every report says so: each row is a history and its end."""

from typing import Final

from domain.call_key import CallKey, Operation
from domain.status import CancelCause, ProviderStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    cancel,
    canceled,
    confirm,
    create,
    failed,
    key,
    payment_fact,
    refused,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import Meaning

_CREATED = Reported(acknowledged(), needs="create")
_DECLINED = Reported(failed("at_1", 2))
_OURS = CancelCause.ATTEMPTS_EXHAUSTED
_LAST = "cancel:exhausted"
_FAILED, _CANCELED = Meaning(Status.FAILED), Meaning(Status.CANCELED)


def _named(second: int, cause: CancelCause, needs: str = "") -> Reported:
    return Reported(canceled(second, cause, event_id="evt_names_it"), needs=needs)


def _unnamed(second: int, needs: str = "") -> Reported:
    return Reported(canceled(second, None, event_id="evt_unnamed"), needs=needs)


def _forged(second: int, call: str) -> Reported:
    """Somebody cancels with a key of a call that we have not made."""
    return Reported(canceled(second, CancelCause.PROVIDER, caused_by=key(call)))


def _by_another(second: int) -> Reported:
    call = CallKey("pay_" + "b" * 30, Operation.CANCEL, "1")
    return Reported(canceled(second, CancelCause.PROVIDER, caused_by=str(call)))


CANCEL_HISTORIES: Final = (
    History(
        "our own cancel ended it, and only its answer says so",
        create(),
        (
            _CREATED,
            _DECLINED,
            Reported(acknowledged(_LAST), needs=_LAST),
            _unnamed(50, _LAST),
        ),
        _FAILED,
    ),
    History(
        "somebody else ended it before our own cancel, and only its answer says so",
        create(),
        (_CREATED, _DECLINED, Reported(refused(_LAST), needs=_LAST), _unnamed(50)),
        _CANCELED,
    ),
    History(
        "our own cancel ended it, and one of two reports says so",
        create(),
        (
            _CREATED,
            _DECLINED,
            Reported(acknowledged(_LAST), needs=_LAST),
            _unnamed(60, _LAST),
            _named(50, _OURS, _LAST),
        ),
        _FAILED,
    ),
    History(
        "our own cancel ended it under its second key, and a later look-up does not say so",
        create(),
        (
            _CREATED,
            _DECLINED,
            Reported(canceled(50, _OURS, caused_by=key(f"{_LAST}.1")), needs=_LAST),
            _unnamed(60, _LAST),
            Reported(acknowledged(_LAST), needs=_LAST),
        ),
        _FAILED,
    ),
    History(
        "somebody else ended it before our own cancel, and one of two reports says so",
        create(),
        (
            _CREATED,
            _DECLINED,
            Reported(refused(_LAST), needs=_LAST),
            _unnamed(60),
            _named(50, CancelCause.PROVIDER),
        ),
        _CANCELED,
    ),
    History(
        "the client's cancel ended it before our own, and only the answers say so",
        create(),
        (
            _CREATED,
            cancel(),
            _DECLINED,
            Reported(acknowledged("cancel:1"), needs="cancel:1"),
            Reported(refused(_LAST), needs=_LAST),
            _unnamed(50, "cancel:1"),
        ),
        _CANCELED,
    ),
    History(
        "another payment's call ended it, and two reports name that call",
        create(),
        (
            _CREATED,
            Reported(payment_fact(ProviderStatus.OPEN, 1)),
            *(_by_another(second) for second in (50, 60)),
        ),
        _CANCELED,
    ),
    History(
        "somebody cancels under the key of our own cancel, for which there is no reason yet",
        create(max_attempts=2),
        (
            _CREATED,
            Reported(payment_fact(ProviderStatus.OPEN, 1)),
            _DECLINED,
            _forged(50, _LAST),
            _forged(60, f"{_LAST}.1"),
            _unnamed(70),
        ),
        _CANCELED,
    ),
    History(
        "somebody cancels under the key of a cancel that no client requested",
        create(),
        (_CREATED, Reported(payment_fact(ProviderStatus.OPEN, 1)), _forged(50, "cancel:1")),
        _CANCELED,
    ),
    History(
        "somebody else ended it after the first of two attempts, and no report says so",
        create(max_attempts=2),
        (_CREATED, _DECLINED, Reported(payment_fact(ProviderStatus.OPEN, 1)), _unnamed(50)),
        _CANCELED,
    ),
    History(
        "our own cancel after the second attempt, and only its answer says so",
        create(max_attempts=2),
        (
            _CREATED,
            _DECLINED,
            confirm(),
            Reported(failed("at_2", 6), needs="confirm:2"),
            Reported(acknowledged(_LAST), needs=_LAST),
            _unnamed(50, _LAST),
        ),
        _FAILED,
    ),
)

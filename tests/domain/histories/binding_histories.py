"""Whose object it is: what nothing proves to be this payment's waits, and has no say until then."""

from typing import Final

from msgspec.structs import replace

from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    canceled,
    create,
    dispute_said,
    failed,
    key,
    refund_said,
    refused,
    said,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import Meaning

_SUCCEEDED, _PENDING = ProviderStatus.SUCCEEDED, ProviderStatus.PENDING
#: An object that carries our payment ID in its metadata, and is somebody else's.
_FOREIGN: Final = "obj_foreign"
_ACKNOWLEDGED: Final = Reported(acknowledged(), needs="create")
_FOREIGN_SUCCESS: Final = Reported(
    said(_SUCCEEDED, 2, object_id=_FOREIGN, event_id="evt_foreign_success")
)
_PAID: Final = Meaning(Status.SUCCEEDED, authorized=1000, captured=1000)

BINDING_HISTORIES: Final = (
    History(
        "a foreign object succeeded, then ours is declined",
        create(),
        (
            _FOREIGN_SUCCESS,
            _ACKNOWLEDGED,
            Reported(failed("at_1", 3)),
            Reported(canceled(50, CancelCause.ATTEMPTS_EXHAUSTED), needs="cancel:exhausted"),
        ),
        Meaning(Status.FAILED),
    ),
    History(
        "only a foreign object is reported, in every kind of fact",
        create(),
        (
            _FOREIGN_SUCCESS,
            Reported(said(_SUCCEEDED, 3, object_id=_FOREIGN, caused_by="pay_other:create")),
            Reported(refund_said("re_1", RefundStatus.SUCCEEDED, 9, 300, object_id=_FOREIGN)),
            Reported(dispute_said("dp_1", DisputeStatus.LOST, 9, object_id=_FOREIGN)),
        ),
        Meaning(Status.CREATED),
    ),
    History(
        "our own object succeeded before its create is answered",
        create(),
        (Reported(said(_PENDING, 3)), Reported(said(_SUCCEEDED, 4)), _ACKNOWLEDGED),
        _PAID,
    ),
    History(
        "the create's answer is lost, an event carries the new key of its repetition",
        create(),
        (
            Reported(said(_PENDING, 3, caused_by=key("create.1"))),
            Reported(said(_SUCCEEDED, 4)),
            _FOREIGN_SUCCESS,
        ),
        _PAID,
    ),
    History(
        "the create's answer is lost, and a look-up has it",
        create(),
        (Reported(said(_SUCCEEDED, 4)), _FOREIGN_SUCCESS, _ACKNOWLEDGED),
        _PAID,
    ),
    History(
        "the create is refused, and a foreign object reported",
        create(),
        (_FOREIGN_SUCCESS, Reported(refused("create"), needs="create")),
        Meaning(Status.FAILED),
    ),
    *(
        History(
            f"the first word is {fact.status} ({end.status}), by the key of our create",
            create(max_attempts=2),
            (Reported(replace(fact, caused_by=key("create"))), _ACKNOWLEDGED),
            end,
        )
        for fact, end in (
            (said(ProviderStatus.ACTION_NEEDED, 2), Meaning(Status.REQUIRES_ACTION)),
            (said(ProviderStatus.AUTHORIZED, 2), Meaning(Status.AUTHORIZED, authorized=1000)),
            (said(_SUCCEEDED, 2), _PAID),
            (canceled(2, CancelCause.PROVIDER), Meaning(Status.CANCELED)),
            (canceled(2, CancelCause.ATTEMPTS_EXHAUSTED), Meaning(Status.FAILED)),
        )
    ),
    History(
        "the key of another call of ours is no proof",
        create(),
        (
            Reported(said(_SUCCEEDED, 2, object_id=_FOREIGN, caused_by=key("confirm:2"))),
            Reported(said(_PENDING, 3, caused_by=key("create"))),
        ),
        Meaning(Status.PROCESSING),
    ),
)

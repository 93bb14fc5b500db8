"""Which object is the payment's: facts about an unproven object wait and have no effect."""

from typing import Final

from msgspec.structs import replace

from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    canceled,
    create,
    dispute_fact,
    failed,
    key,
    payment_fact,
    refund_fact,
    refused,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import Meaning

_SUCCEEDED, _PENDING = ProviderStatus.SUCCEEDED, ProviderStatus.PENDING
#: Somebody else's object, with our payment ID in its metadata.
_FOREIGN: Final = "obj_foreign"
_ACKNOWLEDGED: Final = Reported(acknowledged(), needs="create")
_FOREIGN_SUCCESS: Final = Reported(
    payment_fact(_SUCCEEDED, 2, object_id=_FOREIGN, event_id="evt_foreign_success")
)
_PAID: Final = Meaning(Status.SUCCEEDED, authorized=1000, captured=1000)

BINDING_HISTORIES: Final = (
    History(
        "a foreign object succeeded, then the payment's object is declined",
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
            Reported(payment_fact(_SUCCEEDED, 3, object_id=_FOREIGN, caused_by="pay_other:create")),
            Reported(refund_fact("re_1", RefundStatus.SUCCEEDED, 9, 300, object_id=_FOREIGN)),
            Reported(dispute_fact("dp_1", DisputeStatus.LOST, 9, object_id=_FOREIGN)),
        ),
        Meaning(Status.CREATED),
    ),
    History(
        "the payment's object succeeded before the create's result arrived",
        create(),
        (Reported(payment_fact(_PENDING, 3)), Reported(payment_fact(_SUCCEEDED, 4)), _ACKNOWLEDGED),
        _PAID,
    ),
    History(
        "the create's response is lost, an event carries the new key of its retry",
        create(),
        (
            Reported(payment_fact(_PENDING, 3, caused_by=key("create.1"))),
            Reported(payment_fact(_SUCCEEDED, 4)),
            _FOREIGN_SUCCESS,
        ),
        _PAID,
    ),
    History(
        "the create's response is lost, and a look-up finds the object",
        create(),
        (Reported(payment_fact(_SUCCEEDED, 4)), _FOREIGN_SUCCESS, _ACKNOWLEDGED),
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
            f"the first fact is {fact.status} ({end.status}), with the key of the create",
            create(max_attempts=2),
            (Reported(replace(fact, caused_by=key("create"))), _ACKNOWLEDGED),
            end,
        )
        for fact, end in (
            (payment_fact(ProviderStatus.ACTION_NEEDED, 2), Meaning(Status.REQUIRES_ACTION)),
            (
                payment_fact(ProviderStatus.AUTHORIZED, 2),
                Meaning(Status.AUTHORIZED, authorized=1000),
            ),
            (payment_fact(_SUCCEEDED, 2), _PAID),
            (canceled(2, CancelCause.PROVIDER), Meaning(Status.CANCELED)),
        )
    ),
    History(
        "the key of another call is no proof",
        create(),
        (
            Reported(payment_fact(_SUCCEEDED, 2, object_id=_FOREIGN, caused_by=key("confirm:2"))),
            Reported(payment_fact(_PENDING, 3, caused_by=key("create"))),
        ),
        Meaning(Status.PROCESSING),
    ),
)

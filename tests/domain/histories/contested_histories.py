"""Where the order makes a difference, and has to: each row a history and all of its right ends.

A provider contradicts itself, or names what isn't this payment's: what is told first holds, the
rest is a conflict for an operator and changes nothing. Or what we ask of it is not the same.
"""

from dataclasses import replace
from typing import Final

from msgspec import structs

from domain.inputs import Unmodelled
from domain.status import CancelCause, DisputeStatus, ProviderStatus, RefundStatus, Status
from tests.domain.histories.builders import (
    acknowledged,
    canceled,
    create,
    dispute_said,
    failed,
    key,
    our_refund_said,
    refund,
    refund_said,
    refused,
    said,
)
from tests.domain.histories.history import History, Told
from tests.oracle import DisputeMeaning, Meaning, RefundMeaning

_PENDING = ProviderStatus.PENDING
_SUCCEEDED = ProviderStatus.SUCCEEDED
_BY_PROVIDER = CancelCause.PROVIDER
#: An object that another payment owns, and one that nobody knows.
_ANOTHERS, _SECOND = "obj_of_another", "obj_2"
_PAID = Meaning(Status.SUCCEEDED, authorized=1000, captured=1000)
_ENDED = Meaning(Status.CANCELED)
_FAILED = Meaning(Status.FAILED)

_TWO_ENDS: Final = (
    History(
        "both captured and cancelled",
        create(),
        (
            Told(acknowledged(), needs="create"),
            Told(said(_PENDING, 3)),
            Told(said(_SUCCEEDED, 4)),
            Told(said(_SUCCEEDED, 7, event_id="obj_1.looked_at")),
            Told(canceled(5, _BY_PROVIDER)),
        ),
        _PAID,
        (_ENDED,),
    ),
    History(
        "captured in full and in part",
        create(),
        (
            Told(said(_PENDING, 3)),
            Told(said(_SUCCEEDED, 4)),
            Told(said(_SUCCEEDED, 5, captured=600)),
            refund("re_1", 600),
            Told(our_refund_said("re_1", RefundStatus.SUCCEEDED, 9, 600), needs="refund:re_1"),
        ),
        replace(_PAID, refunded=600, refunds={"re_1": RefundMeaning(RefundStatus.SUCCEEDED)}),
        (
            Meaning(
                Status.SUCCEEDED, 1000, 600, 600, {"re_1": RefundMeaning(RefundStatus.SUCCEEDED)}
            ),
        ),
    ),
    History(
        "cancelled at the provider, and as we ask",
        create(),
        (
            Told(failed("at_1", 2)),
            Told(canceled(5, _BY_PROVIDER)),
            Told(canceled(6, CancelCause.ATTEMPTS_EXHAUSTED), needs="cancel:exhausted"),
        ),
        _FAILED,
        (_ENDED,),
    ),
    History(
        "creating it is refused, and its webhooks come all the same",
        create(),
        (
            Told(refused("create"), needs="create"),
            Told(said(_PENDING, 3, caused_by=key("create"))),
            Told(said(_SUCCEEDED, 4, caused_by=key("create"))),
        ),
        _PAID,
        (_FAILED,),
    ),
)

_WE_ASK_OR_NOT: Final = (
    History(
        "we ask to cancel unless we have heard that the provider went on after the last failure",
        create(capture_method="manual"),
        (
            Told(failed("at_1", 2)),
            Told(said(ProviderStatus.ACTION_NEEDED, 3)),
            Told(said(ProviderStatus.AUTHORIZED, 4)),
            Told(canceled(50, CancelCause.ATTEMPTS_EXHAUSTED), needs="cancel:exhausted"),
        ),
        _FAILED,
        (Meaning(Status.AUTHORIZED, authorized=1000),),
    ),
)

_TWO_OBJECTS: Final = (
    History(
        "the create is made twice: one object is captured, the other cancelled",
        create(),
        (
            Told(acknowledged(), needs="create"),
            Told(said(_PENDING, 3)),
            Told(said(_SUCCEEDED, 4)),
            Told(
                said(
                    _PENDING,
                    3,
                    object_id=_SECOND,
                    caused_by=key("create.1"),
                    event_id="evt_second_works",
                )
            ),
            Told(structs.replace(canceled(4, _BY_PROVIDER), object_id=_SECOND)),
        ),
        _PAID,
        (_ENDED,),
    ),
    History(
        "the create is made twice: the answer names one object, a webhook has named the other",
        create(),
        (
            Told(structs.replace(acknowledged(), object_id=_SECOND), needs="create"),
            Told(said(_PENDING, 3, caused_by=key("create"))),
            Told(said(_SUCCEEDED, 4)),
        ),
        _PAID,
        (Meaning(Status.PROCESSING),),
    ),
    History(
        "another payment's object is named, and an event that is none of ours",
        create(),
        (
            Told(acknowledged(), needs="create"),
            Told(said(_SUCCEEDED, 4, object_id=_ANOTHERS)),
            Told(dispute_said("dp_1", DisputeStatus.LOST, 9, object_id=_ANOTHERS)),
            Told(refund_said("re_1", RefundStatus.SUCCEEDED, 9, 300, object_id=_ANOTHERS)),
            Told(Unmodelled("evt_other", "customer.updated", "it moves no money")),
        ),
        Meaning(Status.PROCESSING),
    ),
)

_OTHER_AMOUNTS: Final = (
    History(
        "another amount, another currency, and the result of a call that was never asked for",
        create(),
        (
            Told(said(_SUCCEEDED, 4, amount=999, captured=999, event_id="evt_less")),
            Told(said(_SUCCEEDED, 4, captured=1001, event_id="evt_more")),
            Told(said(_SUCCEEDED, 4, currency="USD", event_id="evt_dollars")),
            Told(acknowledged("capture:1")),
            Told(said(_PENDING, 3)),
        ),
        Meaning(Status.PROCESSING),
    ),
    History(
        "a refund of another amount than we ask for",
        create(),
        (
            Told(said(_SUCCEEDED, 4)),
            refund("re_1", 400),
            Told(our_refund_said("re_1", RefundStatus.PENDING, 8, 300)),
            Told(our_refund_said("re_1", RefundStatus.SUCCEEDED, 9, 300)),
            Told(dispute_said("dp_1", DisputeStatus.NEEDS_RESPONSE, 9)),
        ),
        replace(
            _PAID,
            refunded=300,
            refunds={"made_re_1": RefundMeaning(RefundStatus.SUCCEEDED)},
            disputes={"dp_1": DisputeMeaning(DisputeStatus.NEEDS_RESPONSE)},
        ),
        (
            replace(
                _PAID,
                refunds={"re_1": RefundMeaning(RefundStatus.REQUESTED)},
                disputes={"dp_1": DisputeMeaning(DisputeStatus.NEEDS_RESPONSE)},
            ),
        ),
    ),
)

CONTESTED_HISTORIES: Final = (*_TWO_ENDS, *_WE_ASK_OR_NOT, *_TWO_OBJECTS, *_OTHER_AMOUNTS)

"""Histories whose end depends on the order: each row lists all of its correct ends.

In some, the provider contradicts itself or names another payment's object: the first report counts,
and the others are conflicts, which change nothing and are left to an operator. In the others, the
order changes the calls that we make.
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
    dispute_fact,
    failed,
    key,
    payment_fact,
    refund,
    refund_fact,
    refused,
    requested_refund_fact,
)
from tests.domain.histories.history import History, Reported
from tests.oracle import DisputeMeaning, Meaning, RefundMeaning

_PENDING = ProviderStatus.PENDING
_SUCCEEDED = ProviderStatus.SUCCEEDED
_BY_PROVIDER = CancelCause.PROVIDER
#: An object that another payment owns, and one that no payment owns.
_OWNED_ELSEWHERE, _SECOND = "obj_of_another", "obj_2"
_PAID = Meaning(Status.SUCCEEDED, authorized=1000, captured=1000)
_ENDED = Meaning(Status.CANCELED)
_FAILED = Meaning(Status.FAILED)

_TWO_ENDS: Final = (
    History(
        "both captured and cancelled",
        create(),
        (
            Reported(acknowledged(), needs="create"),
            Reported(payment_fact(_PENDING, 3)),
            Reported(payment_fact(_SUCCEEDED, 4)),
            Reported(payment_fact(_SUCCEEDED, 7, event_id="obj_1.looked_at")),
            Reported(canceled(5, _BY_PROVIDER)),
        ),
        _PAID,
        (_ENDED,),
    ),
    History(
        "captured in full and in part",
        create(),
        (
            Reported(payment_fact(_PENDING, 3)),
            Reported(payment_fact(_SUCCEEDED, 4)),
            Reported(payment_fact(_SUCCEEDED, 5, captured=600)),
            refund("re_1", 600),
            Reported(
                requested_refund_fact("re_1", RefundStatus.SUCCEEDED, 9, 600), needs="refund:re_1"
            ),
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
            Reported(failed("at_1", 2)),
            Reported(canceled(5, _BY_PROVIDER)),
            Reported(canceled(6, CancelCause.ATTEMPTS_EXHAUSTED), needs="cancel:exhausted"),
        ),
        _FAILED,
        (_ENDED,),
    ),
    History(
        "creating it is refused, but its webhooks come",
        create(),
        (
            Reported(refused("create"), needs="create"),
            Reported(payment_fact(_PENDING, 3, caused_by=key("create"))),
            Reported(payment_fact(_SUCCEEDED, 4, caused_by=key("create"))),
        ),
        _PAID,
        (_FAILED,),
    ),
)

_CANCEL_DEPENDS_ON_ORDER: Final = (
    History(
        "after the last failure we cancel, unless we know that the provider went on",
        create(capture_method="manual"),
        (
            Reported(failed("at_1", 2)),
            Reported(payment_fact(ProviderStatus.ACTION_NEEDED, 3)),
            Reported(payment_fact(ProviderStatus.AUTHORIZED, 4)),
            Reported(canceled(50, CancelCause.ATTEMPTS_EXHAUSTED), needs="cancel:exhausted"),
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
            Reported(acknowledged(), needs="create"),
            Reported(payment_fact(_PENDING, 3)),
            Reported(payment_fact(_SUCCEEDED, 4)),
            Reported(
                payment_fact(
                    _PENDING,
                    3,
                    object_id=_SECOND,
                    caused_by=key("create.1"),
                    event_id="evt_second_works",
                )
            ),
            Reported(structs.replace(canceled(4, _BY_PROVIDER), object_id=_SECOND)),
        ),
        _PAID,
        (_ENDED,),
    ),
    History(
        "the create is made twice: the response names one object, a webhook the other",
        create(),
        (
            Reported(structs.replace(acknowledged(), object_id=_SECOND), needs="create"),
            Reported(payment_fact(_PENDING, 3, caused_by=key("create"))),
            Reported(payment_fact(_SUCCEEDED, 4)),
        ),
        _PAID,
        (Meaning(Status.PROCESSING),),
    ),
    History(
        "events name another payment's object, and one is of a kind we don't model",
        create(),
        (
            Reported(acknowledged(), needs="create"),
            Reported(payment_fact(_SUCCEEDED, 4, object_id=_OWNED_ELSEWHERE)),
            Reported(dispute_fact("dp_1", DisputeStatus.LOST, 9, object_id=_OWNED_ELSEWHERE)),
            Reported(
                refund_fact("re_1", RefundStatus.SUCCEEDED, 9, 300, object_id=_OWNED_ELSEWHERE)
            ),
            Reported(Unmodelled("evt_other", "customer.updated", "it moves no money")),
        ),
        Meaning(Status.PROCESSING),
    ),
)

_OTHER_AMOUNTS: Final = (
    History(
        "two amounts, another currency, and the result of a call that was never made",
        create(),
        (
            Reported(payment_fact(_SUCCEEDED, 4, amount=999, captured=999, event_id="evt_less")),
            Reported(payment_fact(_SUCCEEDED, 4, captured=1001, event_id="evt_more")),
            Reported(payment_fact(_SUCCEEDED, 4, currency="USD", event_id="evt_dollars")),
            Reported(acknowledged("capture:1")),
            Reported(payment_fact(_PENDING, 3)),
        ),
        Meaning(Status.SUCCEEDED, authorized=999, captured=999),
        (Meaning(Status.SUCCEEDED, authorized=1001, captured=1001),),
    ),
    History(
        "a refund of another amount than we ask for, which the answer to our call names",
        create(),
        (
            Reported(payment_fact(_SUCCEEDED, 4)),
            refund("re_1", 400),
            Reported(acknowledged("refund:re_1"), needs="refund:re_1"),
            Reported(refund_fact("made_re_1", RefundStatus.PENDING, 8, 300)),
            Reported(refund_fact("made_re_1", RefundStatus.SUCCEEDED, 9, 300)),
            Reported(dispute_fact("dp_1", DisputeStatus.NEEDS_RESPONSE, 9)),
        ),
        replace(
            _PAID,
            refunded=300,
            refunds={
                "made_re_1": RefundMeaning(RefundStatus.SUCCEEDED),
                "re_1": RefundMeaning(RefundStatus.REQUESTED),
            },
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

_GIVEN: Final = RefundMeaning(RefundStatus.SUCCEEDED)
_OTHER, _MORE = (
    refund_fact(name, RefundStatus.SUCCEEDED, second, amount, caused_by=key("refund:re_1"))
    for name, second, amount in (("other", 9, 400), ("more", 10, 600))
)
#: A refund of all is rejected where it is not known what all is.
_WHAT_ALL_IS: Final = (
    History(
        "two refunds under the key of our refund of all are each all without the other",
        create(),
        (Reported(payment_fact(_SUCCEEDED, 4)), Reported(_OTHER), Reported(_MORE), refund("re_1")),
        replace(_PAID, refunded=1000, refunds={"other": _GIVEN, "more": _GIVEN}),
        (
            replace(
                _PAID,
                refunded=1000,
                refunds={
                    "other": _GIVEN,
                    "more": _GIVEN,
                    "re_1": RefundMeaning(RefundStatus.REQUESTED),
                },
            ),
        ),
    ),
    History(
        "nothing is left, and somebody has refunded nothing under the key of our refund of all",
        create(),
        (
            Reported(payment_fact(_SUCCEEDED, 4)),
            refund("re_0", 1000),
            Reported(
                refund_fact("none", RefundStatus.SUCCEEDED, 9, 0, caused_by=key("refund:re_1"))
            ),
            refund("re_1"),
        ),
        replace(
            _PAID,
            refunds={"re_0": RefundMeaning(RefundStatus.REQUESTED), "none": _GIVEN},
        ),
    ),
)

CONTESTED_HISTORIES: Final = (
    *_TWO_ENDS,
    *_CANCEL_DEPENDS_ON_ORDER,
    *_TWO_OBJECTS,
    *_OTHER_AMOUNTS,
    *_WHAT_ALL_IS,
)

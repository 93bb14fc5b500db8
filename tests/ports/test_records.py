"""The IDs under which records are stored, and the provider's object that an input names."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from domain.call_key import Operation
from domain.inputs import CallResult, Input
from ports.records import DecodedInput, RecordOffset, named_object, refusal_id
from tests.support.builders import Log, object_of, payment, received

ONE = payment("one")


def test_every_refused_record_has_an_id_of_its_own() -> None:
    """Two records of one event may be refused at the same offset of two partitions or topics."""
    refused = received(Log().create(ONE))
    places = [
        RecordOffset("payment-commands", 0, 7),
        RecordOffset("payment-commands", 1, 7),
        RecordOffset("payment-commands", 0, 8),
        RecordOffset("provider-webhooks", 0, 7),
    ]
    ids = {
        refusal_id(replace(refused, record=replace(refused.record, position=place)))
        for place in places
    }
    assert len(ids) == len(places)
    assert all(each.startswith(f"{refused.event_id}@") for each in ids)


def _dispute() -> DecodedInput:
    body = {
        "id": "evt_1",
        "type": "charge.dispute.created",
        "created": 1_767_225_600,
        "livemode": False,
        "data": {
            "object": {
                "id": "dp_1",
                "object": "dispute",
                "status": "needs_response",
                "amount": 100,
                "currency": "eur",
                "payment_intent": object_of(ONE),
                "reason": "fraudulent",
                "balance_transactions": [],
            }
        },
    }
    return received(Log().event(ONE, body))


def _result(operation: Operation) -> DecodedInput:
    body = CallResult(
        call_key=f"{ONE}:{operation}", operation=operation, object_id="obj_1", refusal=None
    )
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return replace(received(Log().result(ONE)), input=Input("res_1", moment, body))


@pytest.mark.parametrize(
    "received_",
    [
        received(Log().webhook(ONE, "succeeded")),
        received(Log().refund_event(ONE, "re_1", "succeeded", 100)),
        _dispute(),
    ],
    ids=["payment", "refund", "dispute"],
)
def test_every_fact_names_its_payment_object(received_: DecodedInput) -> None:
    """So a fact about another payment's object is refused."""
    assert named_object(received_) == object_of(ONE)


def test_only_the_result_of_a_create_names_the_payment_object() -> None:
    """A refund's result names the refund, a confirm's nothing new."""
    assert named_object(_result(Operation.CREATE)) == "obj_1"
    assert named_object(_result(Operation.REFUND)) is None
    assert named_object(received(Log().create(ONE))) is None

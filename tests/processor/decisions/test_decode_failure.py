"""A record that our own code failed to decode is kept with what every record has."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from msgspec.structs import replace

from decisions.decode_failure import unforeseen
from ports.records import ConsumedRecord, DeadLetter, DecodedInput
from schemas import headers
from tests.support.builders import NOW, Log, payment

ONE: Final = payment("one")


def kept(record: ConsumedRecord) -> DecodedInput:
    """The record as an input that quarantines its payment."""
    found = unforeseen(record, "a defect")
    assert isinstance(found, DecodedInput)
    assert found.failure == "a defect"
    return found


def changed(record: ConsumedRecord, **fields: Any) -> ConsumedRecord:
    """The record with these fields of its body changed."""
    return replace(record, value=json.dumps(json.loads(record.value) | fields).encode())


def test_a_command_keeps_its_tenant_and_its_operation() -> None:
    """Its client finds it in the timeline, and a retry is the same operation."""
    record = Log().create(ONE)
    sent, found = json.loads(record.value), kept(record)
    assert (found.tenant, found.operation_id) == (sent["tenant"], sent["operation_id"])
    assert (found.payment_id, found.event_id) == (ONE, sent["event_id"])


def test_a_result_has_no_tenant() -> None:
    """No client sent it. A field of that name means nothing there."""
    found = kept(changed(Log().result(ONE), tenant="shop", operation_id="op_1"))
    assert (found.tenant, found.operation_id) == (None, None)


def test_it_was_received_when_the_brokers_got_it() -> None:
    """No field of the record is trusted. A time that is no date is the epoch."""
    record = Log().webhook(ONE, "succeeded")
    epoch = datetime.fromtimestamp(0, UTC)
    for at, expected in ((record.timestamp_ms, NOW), (-1, epoch), (10**18, epoch)):
        assert kept(replace(record, timestamp_ms=at)).input.received_at == expected


@pytest.mark.parametrize("event_id", ["", "evt\0", "e" * (headers.ID_CHARS_MAX + 1), 7, None])
def test_without_a_usable_event_id_it_is_a_dead_letter(event_id: object) -> None:
    """Postgres can store neither NUL nor an ID of any length."""
    assert isinstance(unforeseen(changed(Log().create(ONE), event_id=event_id), "x"), DeadLetter)


def test_without_a_payment_it_is_a_dead_letter() -> None:
    """There is no payment to quarantine."""
    assert isinstance(unforeseen(replace(Log().create(ONE), key=b"pay_x"), "x"), DeadLetter)

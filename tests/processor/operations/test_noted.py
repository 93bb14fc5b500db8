"""What the audit notes of the records of ``payment-operations``."""

from pathlib import Path

import pytest
from aiokafka import ConsumerRecord

from processor.ops.audit import topics
from processor.ops.audit.ranges import Ranges
from processor.ops.invariants import digest
from schemas.headers import Headers, operation_event
from tests.support.builders import NOW

PAYMENT, OPERATION = "pay_1", "op_1"


def _record(headers: Headers) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord(
        "payment-operations", 0, 0, 0, 0, PAYMENT.encode(), b"{}", None, 5, 2, tuple(headers)
    )


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_record_is_noted_by_its_operation(tmp_path: Path, *, is_ours: bool) -> None:
    """One that somebody else wrote, without the service's headers, ends no audit."""
    ranges = Ranges(tmp_path, [""])
    (whole,) = ranges
    headers = operation_event(OPERATION, "done", PAYMENT, NOW) if is_ours else []
    topics._note_operation(_record(headers), ranges)
    ranges.write()
    noted = {PAYMENT: {OPERATION: [("done", digest(b"{}"))]}} if is_ours else {}
    assert ranges.take(whole).operations == noted

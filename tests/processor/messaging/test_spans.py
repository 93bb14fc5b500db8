"""Which offsets have a record is read from the heads of batches, where they say it."""

import pytest

from messaging.kafka_internals.spans import Span, SpanRecords
from tests.support.fetched_records import at_offset, fetched
from tests.support.raw_batches import CODECS, Made, batch

TIMESTAMP = 1_700_000_000_000
THREE: list[Made] = [(b"k", b"v", [])] * 3
#: The position of the last offset, less the first, in a batch.
LAST = slice(23, 27)


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_is_one_span(codec: str) -> None:
    """Whatever its records are: they are not looked at."""
    made = at_offset(4, batch(THREE, codec)) + at_offset(7, batch(THREE[:1], codec))
    found = fetched(made, 4, parser=SpanRecords)
    assert list(found) == [Span(4, 7, TIMESTAMP), Span(7, 8, TIMESTAMP)]
    assert found.next_fetch_offset == 8


def test_a_span_begins_where_the_reader_does() -> None:
    """A fetch may begin in the middle of a batch."""
    assert list(fetched(batch(THREE), 2, parser=SpanRecords)) == [Span(2, 3, TIMESTAMP)]


def test_a_batch_with_holes_is_parsed() -> None:
    """Compaction removes records and leaves the batch's last offset."""
    made = bytearray(batch(THREE))
    made[LAST] = (5).to_bytes(4, "big")
    found = fetched(bytes(made), checked=False, reports_gaps=False, parser=SpanRecords)
    assert [record.offset for record in found] == [0, 1, 2]
    assert found.next_fetch_offset == 6


def test_a_marker_of_a_transaction_is_no_record() -> None:
    """It has an offset, and nothing that needs an outcome."""
    marker = at_offset(3, batch([(b"", b"", [])]), 0x20)
    found = fetched(batch(THREE) + marker, checked=False, reports_gaps=False, parser=SpanRecords)
    assert list(found) == [Span(0, 3, TIMESTAMP)]


def test_a_batch_with_a_wrong_checksum_is_fetched_again() -> None:
    """The network may have damaged its head."""
    damaged = at_offset(0, batch(THREE), 0x01)
    found = fetched(damaged, parser=SpanRecords)
    assert list(found) == []
    assert found.next_fetch_offset == 0

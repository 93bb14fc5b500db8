"""Each offset of a fetched batch becomes a record or a gap, whatever the batch contains."""

import pytest
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from aiokafka.structs import TopicPartition

from messaging.kafka_internals.consumer import GapReportingConsumer
from messaging.kafka_internals.records import FETCH_ATTEMPTS, OffsetGap, TolerantRecords
from ports.records import Unreadable
from tests.support.fetched_records import HERE, at_offset, fetched, read_with_retries
from tests.support.raw_batches import CODECS, batch, replaced


@pytest.mark.parametrize("codec", CODECS)
def test_a_header_name_that_is_not_utf8_is_replaced(codec: str) -> None:
    """The rest of the record and the other records are unchanged."""
    records = [(b"k", b"first", [("good", b"1")]), (b"k", b"second", [("abcd", b"2")])]
    made = batch(records, codec, change=replaced(b"abcd", b"a\xff\xfed"))
    first, second = fetched(made)
    assert (first.value, dict(first.headers)) == (b"first", {"good": b"1"})
    assert (second.value, dict(second.headers)) == (b"second", {"a\ufffd\ufffdd": b"2"})
    assert (first.offset, second.offset) == (0, 1)


def test_a_wrong_checksum_is_fetched_again_and_then_unreadable() -> None:
    """Damage by the network disappears, damage on the disk stays. The next batch is read."""
    bad = bytearray(at_offset(3, batch([(b"k", b"value", [])] * 2)))
    bad[-3] ^= 1
    raw = bytes(bad) + at_offset(5, batch([(b"k", b"good", [])]))
    tries: dict[TopicPartition, tuple[int, int]] = {}
    for _ in range(FETCH_ATTEMPTS - 1):
        again = fetched(raw, 3, tries=tries)
        assert list(again) == []
        assert again.next_fetch_offset == 3
    first, second, good = fetched(raw, 3, tries=tries)
    assert first.value == bytes(bad)
    assert (first.offset, second.offset, second.value) == (3, 4, b"")
    for each in (first, second):
        assert isinstance(each.value, Unreadable)
        assert "offsets 3 to 4" in each.value.why
    assert (good.offset, good.value) == (5, b"good")


def test_each_damaged_batch_has_its_own_fetch_attempts() -> None:
    """Attempts for one batch do not count for the next."""
    bad = bytearray(batch([(b"k", b"value", [])]))
    bad[-3] ^= 1
    raw, tries = (
        at_offset(3, bytes(bad)) + at_offset(4, bytes(bad)),
        {HERE: (3, FETCH_ATTEMPTS - 1)},
    )
    begin = 3
    for offset in (3, 4):
        part = fetched(raw[len(bad) * (begin - 3) :], begin, tries=tries)
        assert [record.offset for record in part] == [offset]
        begin = part.next_fetch_offset
        for _ in range(FETCH_ATTEMPTS - 2):
            assert list(fetched(raw[len(bad) :], begin, tries=tries)) == []


@pytest.mark.parametrize("attributes", [5, 6, 7])
def test_an_unknown_codec_is_unreadable(attributes: int) -> None:
    """Another client may use a new codec."""
    (record,) = read_with_retries(
        at_offset(0, batch([(b"k", b"v", [])]), attributes), checked=False
    )
    assert isinstance(record.value, Unreadable)
    assert "codec" in record.value.why


@pytest.mark.parametrize("codec", sorted(set(CODECS) - {"none"}))
def test_a_batch_that_does_not_decompress_is_unreadable(codec: str) -> None:
    """Its bytes are not compressed with the codec in its header."""
    number, _ = CODECS[codec]
    raw = at_offset(0, batch([(b"k", b"v" * 100, [])]), number)
    (record,) = read_with_retries(raw, checked=False)
    assert isinstance(record.value, Unreadable)


def test_records_before_the_broken_one_are_read_once() -> None:
    """The rest of the batch is unreadable. No offset is repeated, and none is missing."""
    made = batch([(b"k", b"v", [])] * 3)
    broken = bytearray(made)
    broken[-9] = 0x7F  # the last record's length
    tries: dict[TopicPartition, tuple[int, int]] = {}
    found, begin = [], 0
    while begin < 3:
        part = fetched(bytes(broken), begin, tries=tries, checked=False)
        found += list(part)
        begin = part.next_fetch_offset
    assert [record.offset for record in found] == [0, 1, 2]
    assert [isinstance(record.value, Unreadable) for record in found] == [False, False, True]


def test_a_batch_with_a_wrong_last_offset_ends_where_the_partition_does() -> None:
    """Otherwise a reader would fetch a missing offset, and start over from the beginning."""
    made = bytearray(batch([(b"k", b"v", [])]))
    made[23:27] = (1_000_000).to_bytes(4, "big")
    found = read_with_retries(bytes(made), end=2)
    assert [record.offset for record in found] == [0, 1]


def test_offsets_without_a_record_are_reported() -> None:
    """Between records and at the end of a batch. Those at the partition's end are marked."""
    made = at_offset(4, batch([(b"k", b"v", [])]))
    marker = at_offset(5, batch([(b"", b"", [])]), 0x20)
    absent, record, last = fetched(made + marker, 2, end=6, checked=False)
    assert absent == OffsetGap(2, 4, is_last=False)
    assert record.offset == 4
    assert last == OffsetGap(5, 6, is_last=True)


def test_a_reader_that_reports_no_gaps_returns_only_records() -> None:
    """It skips offsets without a record."""
    found = fetched(at_offset(4, batch([(b"k", b"v", [])])), 2, end=5, reports_gaps=False)
    assert [record.offset for record in found] == [4]
    assert found.next_fetch_offset == 5


def test_aiokafka_still_has_what_we_override() -> None:
    """The overridden names exist, and aiokafka's consumer still uses the attribute we replace."""
    for name in ("_consumer_record", "_consume_aborted_up_to", "_contains_abort_marker"):
        assert callable(getattr(TolerantRecords.__mro__[1], name))
    assert "_partition_records" in FetchResult.__init__.__code__.co_names
    names = Fetcher._proc_fetch_request.__code__.co_names
    assert {"_client", "send", "_records"} <= set(names)
    assert "_fetcher" in GapReportingConsumer.__mro__[2].start.__code__.co_names

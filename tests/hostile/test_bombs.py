"""Batches that decompress to a huge size, and batches in obsolete formats."""

import struct
import tracemalloc
from collections.abc import Callable
from typing import Any, Final

import pytest
from aiokafka import codec as codecs
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder

from ports.records import Unreadable
from schemas.topics import DECOMPRESSED_BYTES_MAX, PROVIDER_RESULTS
from tests.support.fetched_records import at_offset, fetched, read_with_retries
from tests.support.raw_batches import CODECS, Made, batch, publish

COMPRESSING: Final = sorted(set(CODECS) - {"none"})
OLD_CODECS: Final[dict[str, int]] = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3}
LIMIT: Final = DECOMPRESSED_BYTES_MAX
#: The memory that a reader may use in addition to its input.
_MEMORY: Final = 2 * LIMIT


def bomb(codec: str, value_bytes: int) -> bytes:
    """Returns a batch of one record whose value is this many zero bytes."""
    records: list[Made] = [(b"key", b"\0" * value_bytes, [])]
    return batch(records, codec)


@pytest.mark.parametrize("codec", COMPRESSING)
def test_a_bomb_is_unreadable_and_never_decompressed(codec: str) -> None:
    """Its dead letter names the offset and the limit; the next batch is read."""
    raw = at_offset(7, bomb(codec, 4 * LIMIT)) + at_offset(8, batch([(b"k", b"good", [])]))
    tracemalloc.start()
    try:
        unreadable, good = fetched(raw, 7)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(unreadable.value, Unreadable)
    assert "offsets 7 to 7" in unreadable.value.why
    assert f"larger than {LIMIT} bytes" in unreadable.value.why
    assert good.value == b"good"
    assert peak < _MEMORY + len(raw)


@pytest.mark.parametrize("codec", COMPRESSING)
def test_a_large_record_within_the_limit_is_read(codec: str) -> None:
    """The whole value is read."""
    (record,) = fetched(bomb(codec, LIMIT - 1_000))
    assert record.value == b"\0" * (LIMIT - 1_000)


def test_the_limit_counts_every_gzip_member() -> None:
    """The Kafka client decompresses all members of a gzip stream, so the limit counts all."""
    made = bytearray(bomb("gzip", LIMIT - 1_000))
    made += codecs.gzip_encode(b"\0" * LIMIT)
    struct.pack_into(">i", made, 8, len(made) - 12)
    (record,) = read_with_retries(bytes(made), checked=False)
    assert isinstance(record.value, Unreadable)
    assert f"larger than {LIMIT} bytes" in record.value.why


def old(magic: int, codec: str, *values: bytes) -> bytes:
    """Returns a batch in one of the old formats."""
    builder = LegacyRecordBatchBuilder(magic, OLD_CODECS[codec], 1 << 30)
    for offset, value in enumerate(values):
        builder.append(offset, timestamp=1_700_000_000_000, key=b"key", value=value)
    return bytes(builder.build())


OLD: Final = [(m, c) for m in (0, 1) for c in OLD_CODECS if (m, c) != (0, "lz4")]


@pytest.mark.parametrize(("magic", "codec"), OLD)
def test_an_old_format_is_read(magic: int, codec: str) -> None:
    """Its records have no headers. Those of format 0 have no timestamp, which is read as -1."""
    first, second = fetched(old(magic, codec, b"first", b"second"))
    assert [(r.offset, r.key, r.value) for r in (first, second)] == [
        (0, b"key", b"first"), (1, b"key", b"second"),
    ]  # fmt: skip
    assert {r.timestamp for r in (first, second)} == {-1 if magic == 0 else 1_700_000_000_000}
    assert list(first.headers) == []


def test_formats_may_change_within_a_fetch() -> None:
    """A topic that survived several Kafka releases contains batches of different formats."""
    new = batch([(b"k", b"new", [])])
    raw = b"".join(
        at_offset(offset, made)
        for offset, made in enumerate([old(0, "none", b"0"), new, old(1, "none", b"1"), new])
    )
    found = list(fetched(raw, checked=False))
    assert [(r.offset, r.value) for r in found] == [(0, b"0"), (1, b"new"), (2, b"1"), (3, b"new")]


def _zero_length(messages: bytearray) -> None:
    struct.pack_into(">i", messages, 8, -12)


def _zeros(messages: bytearray) -> None:
    messages[:] = bytes(4 * LIMIT)


def recompressed(change: Callable[[bytearray], None]) -> bytes:
    """Returns a batch of format 1 with changed messages inside and no valid checksum."""
    messages = bytearray(old(1, "none", b"value"))
    change(messages)
    value: bytes = codecs.gzip_encode(bytes(messages))
    head = struct.pack(">BBqii", 1, 1, 0, -1, len(value))
    return struct.pack(">qiI", 4, 4 + len(head) + len(value), 0) + head + value


@pytest.mark.parametrize("change", [_zero_length, _zeros])
def test_a_poisonous_old_batch_is_one_dead_letter(
    change: Callable[[bytearray], None],
) -> None:
    """It is a bomb, or has a length that would make the reader loop. The next batch is read."""
    raw = recompressed(change) + at_offset(5, batch([(b"k", b"good", [])]))
    unreadable, *others = read_with_retries(raw, 4, checked=False)
    assert isinstance(unreadable.value, Unreadable)
    assert "offsets 4 to 4" in unreadable.value.why
    assert [other.value for other in others] == [b"good"]


@pytest.mark.anyio
@pytest.mark.parametrize("magic", [0, 1])
async def test_the_brokers_accept_no_old_format(kafka_bootstrap: str, magic: int) -> None:
    """Only batches stored by old Kafka releases can have an old format."""
    client: Any = AIOKafkaClient(bootstrap_servers=kafka_bootstrap)
    await client.bootstrap()
    try:
        with pytest.raises(KafkaError):
            await publish(client, PROVIDER_RESULTS, 0, old(magic, "none", b"{}"))
    finally:
        await client.close()

"""Reads raw batches as a consumer does."""

from types import SimpleNamespace
from typing import Any, Final

from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED
from aiokafka.structs import TopicPartition

from messaging.kafka_internals.records import FETCH_ATTEMPTS, TolerantRecords

HERE: Final = TopicPartition("payment-commands", 0)
#: The bytes of a batch with its first offset and with its attributes.
_OFFSET: Final = slice(0, 8)
_ATTRIBUTES: Final = slice(21, 23)


def at_offset(offset: int, made: bytes, attributes: int | None = None) -> bytes:
    """The batch at this offset. Changed attributes no longer match the checksum."""
    moved = bytearray(made)
    moved[_OFFSET] = offset.to_bytes(8, "big")
    if attributes is not None:
        moved[_ATTRIBUTES] = attributes.to_bytes(2, "big")
    return bytes(moved)


def fetched(
    raw: bytes,
    begin: int = 0,
    end: int = 100,
    tries: dict[TopicPartition, tuple[int, int]] | None = None,
    *,
    checked: bool = True,
    committed: bool = False,
    reports_gaps: bool = True,
    parser: type[TolerantRecords] = TolerantRecords,
) -> TolerantRecords:
    """The records of a fetch from ``begin``, in a partition that ends at ``end``."""
    theirs = SimpleNamespace(
        _tp=HERE,
        _aborted_transactions=[],
        next_fetch_offset=begin,
        _check_crcs=checked,
        _isolation_level=READ_COMMITTED if committed else READ_UNCOMMITTED,
    )
    return parser(theirs, raw, end, {} if tries is None else tries, reports_gaps=reports_gaps)


def read_with_retries(
    raw: bytes, begin: int = 0, end: int = 100, *, checked: bool = True
) -> list[Any]:
    """The records that a reader gets if it repeats fetches that return none."""
    tries: dict[TopicPartition, tuple[int, int]] = {}
    for _ in range(FETCH_ATTEMPTS):
        if found := list(fetched(raw, begin, end, tries, checked=checked)):
            return found
    raise AssertionError("a reader would fetch this for ever")

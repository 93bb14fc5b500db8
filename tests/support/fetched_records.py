"""What a reader makes of a batch as the log has it."""

from types import SimpleNamespace
from typing import Any, Final

from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED
from aiokafka.structs import TopicPartition

from messaging.kafka_internals.records import FETCH_ATTEMPTS, TolerantRecords

HERE: Final = TopicPartition("payment-commands", 0)
#: Where in a batch its first offset stands, and its attributes.
_OFFSET: Final = slice(0, 8)
_ATTRIBUTES: Final = slice(21, 23)


def at(offset: int, made: bytes, attributes: int | None = None) -> bytes:
    """The batch as it stands in the log; its attributes are changed against the checksum."""
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
) -> TolerantRecords:
    """What was fetched at this offset, of a partition with this end."""
    theirs = SimpleNamespace(
        _tp=HERE,
        _aborted_transactions=[],
        next_fetch_offset=begin,
        _check_crcs=checked,
        _isolation_level=READ_COMMITTED if committed else READ_UNCOMMITTED,
    )
    return TolerantRecords(
        theirs, raw, end, {} if tries is None else tries, reports_gaps=reports_gaps
    )


def in_the_end(raw: bytes, begin: int = 0, end: int = 100, *, checked: bool = True) -> list[Any]:
    """What a reader gets that fetches again as long as nothing comes."""
    tries: dict[TopicPartition, tuple[int, int]] = {}
    for _ in range(FETCH_ATTEMPTS):
        if found := list(fetched(raw, begin, end, tries, checked=checked)):
            return found
    raise AssertionError("a reader would fetch this for ever")

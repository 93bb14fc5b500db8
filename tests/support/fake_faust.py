"""Fakes of Faust's events and table. An event records its acknowledgement."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, cast

from faust.types import EventT

from ports.records import ConsumedRecord, RecordOffset


class Message:
    """A record as Faust hands it over."""

    def __init__(self, record: ConsumedRecord, value: bytes | None) -> None:
        self.topic = record.position.topic
        self.partition = record.position.partition
        self.offset = record.position.offset
        self.key, self.value = record.key, value
        self.headers: Any = [(name, text.encode()) for name, text in record.headers.items()]
        self.timestamp: float | None = record.timestamp_ms / 1000


class _Event:
    """An event of a stream; ``acked`` gets its position once it is acknowledged."""

    def __init__(self, record: ConsumedRecord, acked: list[RecordOffset]) -> None:
        self.message = Message(record, record.value)
        self._position, self._acked = record.position, acked

    def ack(self) -> bool:
        """See ``EventT.ack``."""
        self._acked.append(self._position)
        return True


def event(record: ConsumedRecord, acked: list[RecordOffset] | None = None) -> EventT[Any]:
    """The event that carries a record."""
    return cast("EventT[Any]", _Event(record, [] if acked is None else acked))


class Table:
    """A fake table, in dictionaries."""

    def __init__(self) -> None:
        self.partitions: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self.writes = 0

    def get(self, partition: int, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """See ``Entries.get``."""
        entries = self.partitions[partition]
        return {key: entries[key] for key in keys if key in entries}

    def walk(self, partition: int, after: bytes, limit: int) -> Sequence[tuple[bytes, bytes]]:
        """See ``Entries.walk``."""
        return [e for e in sorted(self.partitions[partition].items()) if e[0] > after][:limit]

    async def put(self, partition: int, changes: Mapping[bytes, bytes | None]) -> None:
        """See ``Entries.put``."""
        for key, value in changes.items():
            if value is None:
                del self.partitions[partition][key]
            else:
                self.partitions[partition][key] = value
                self.writes += 1

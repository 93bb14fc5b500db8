"""In Faust's place: events that note when they are acknowledged, and a table of dictionaries.

They are as strict as Faust is: without a current event the table refuses to be used, and it takes
the partition from it.
"""

from collections import defaultdict
from typing import Any, cast

from faust.streams import current_event
from faust.types import EventT

from processor.records import Position, Record


class Message:
    """A record as Faust hands it over."""

    def __init__(self, record: Record, value: bytes | None) -> None:
        self.topic = record.position.topic
        self.partition = record.position.partition
        self.offset = record.position.offset
        self.key, self.value = record.key, value
        self.headers: Any = [(name, text.encode()) for name, text in record.headers.items()]
        self.timestamp: float | None = record.timestamp_ms / 1000


class _Event:
    """An event of a stream; ``acked`` gets its position once it is acknowledged."""

    def __init__(self, record: Record, acked: list[Position]) -> None:
        self.message = Message(record, record.value)
        self._position, self._acked = record.position, acked

    def ack(self) -> bool:
        """See ``EventT.ack``."""
        self._acked.append(self._position)
        return True


def event(record: Record, acked: list[Position] | None = None) -> EventT[Any]:
    """The event that carries a record."""
    return cast("EventT[Any]", _Event(record, [] if acked is None else acked))


class Entries:
    """A RocksDB iterator over one partition's entries as they stand."""

    def __init__(self, entries: dict[bytes, bytes]) -> None:
        self._entries = sorted(entries.items())
        self._at = len(self._entries)

    def seek(self, key: bytes) -> None:
        """To the first key that is not less."""
        self._at = sum(1 for each, _ in self._entries if each < key)

    def valid(self) -> bool:
        """Whether it stands at an entry."""
        return self._at < len(self._entries)

    def key(self) -> bytes:
        """Its key."""
        return self._entries[self._at][0]

    def value(self) -> bytes:
        """Its value."""
        return self._entries[self._at][1]

    def next(self) -> None:
        """To the next one."""
        self._at += 1


class Partition:
    """One partition of a table, as its RocksDB."""

    def __init__(self, entries: dict[bytes, bytes]) -> None:
        self._entries = entries

    def iter(self) -> Entries:
        """Over all entries."""
        return Entries(self._entries)


class Table:
    """A Faust table; ``data`` is its store, as far as ``faust_internals.walk`` looks into it."""

    def __init__(self) -> None:
        self.partitions: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self.data = self
        self.writes = 0

    def _current(self) -> dict[bytes, bytes]:
        event = current_event()
        assert event is not None, "a table can't be used from outside of a stream's iteration"
        return self.partitions[event.message.partition]

    def _db_for_partition(self, partition: int) -> Partition:
        return Partition(self.partitions[partition])

    def get(self, key: bytes) -> bytes | None:
        """The value of the current event's partition."""
        return self._current().get(key)

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._current()[key] = value
        self.writes += 1

    def __delitem__(self, key: bytes) -> None:
        del self._current()[key]

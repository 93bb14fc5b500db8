"""A Faust table as ``processor.seen`` uses it: on a worker's disk, with a changelog behind it.

A write stands on the disk at once, and in the changelog once it is flushed. Whoever takes a
partition over reads the changelog from where his own disk ends. Nothing fences the changelog: a
worker that lost a partition may still flush an old entry over a newer one, as with Faust.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Final

from faust.streams import _current_event

from tests.simulation.process import Process

Entries = dict[bytes, bytes]
#: Partition, key, and value; None deletes.
Write = tuple[int, bytes, bytes | None]


class Changelog:
    """The changelog topic: every flushed write by partition."""

    def __init__(self) -> None:
        self._writes: dict[int, list[tuple[bytes, bytes | None]]] = {}

    def append(self, writes: Sequence[Write]) -> None:
        """Flushed writes."""
        for partition, key, value in writes:
            self._writes.setdefault(partition, []).append((key, value))

    def replay(self, partition: int, entries: Entries, after: int) -> int:
        """Brings entries up to date from an offset on; answers the new one."""
        writes = self._writes.get(partition, [])
        for key, value in writes[after:]:
            _put(entries, key, value)
        return len(writes)


class Disk:
    """What a worker's machine keeps of its tables."""

    def __init__(self) -> None:
        self.entries: Final[dict[int, Entries]] = {}
        self.replayed: Final[dict[int, int]] = {}


class Table:
    """The part of a Faust table that the program under test touches."""

    def __init__(self, disk: Disk, changelog: Changelog, process: Process) -> None:
        self._disk = disk
        self._changelog = changelog
        self._process = process
        self._unflushed: list[Write] = []
        self.data = SimpleNamespace(_db_for_partition=self._database)

    def recover(self, partitions: Sequence[int]) -> None:
        """Reads the changelog of partitions that were just assigned."""
        for partition in partitions:
            entries = self._disk.entries.setdefault(partition, {})
            after = self._disk.replayed.get(partition, 0)
            self._disk.replayed[partition] = self._changelog.replay(partition, entries, after)

    def flush(self) -> None:
        """Everything written so far is in the changelog."""
        self._changelog.append(self._unflushed)
        self._unflushed = []

    def get(self, key: bytes) -> bytes | None:
        """The value of a key in the current event's partition."""
        return self._entries().get(key)

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._write(key, value)

    def __delitem__(self, key: bytes) -> None:
        self._write(key, None)

    def _write(self, key: bytes, value: bytes | None) -> None:
        self._process.step_at_once("table.write")
        _put(self._entries(), key, value)
        self._unflushed.append((_current_partition(), key, value))

    def _entries(self) -> Entries:
        return self._disk.entries.setdefault(_current_partition(), {})

    def _database(self, partition: int) -> SimpleNamespace:
        entries = self._disk.entries.setdefault(partition, {})
        return SimpleNamespace(iter=lambda: _Iterator(entries))


class _Iterator:
    """RocksDB's iterator over one partition, in the order of the keys."""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        self._keys: list[bytes] = []

    def seek(self, key: bytes) -> None:
        """To the first key that is not before this one."""
        self._keys = sorted((k for k in self._entries if k >= key), reverse=True)

    def valid(self) -> bool:
        """Whether it stands at an entry."""
        return bool(self._keys)

    def key(self) -> bytes:
        """The key here."""
        return self._keys[-1]

    def value(self) -> bytes:
        """The value here."""
        return self._entries[self._keys[-1]]

    def next(self) -> None:
        """To the next key."""
        self._keys.pop()


def _put(entries: Entries, key: bytes, value: bytes | None) -> None:
    if value is None:
        entries.pop(key, None)
    else:
        entries[key] = value


def _current_partition() -> int:
    current = _current_event.get()
    event = current() if current is not None else None
    if event is None:
        raise RuntimeError("a table is used outside of an event")
    return int(event.message.partition)

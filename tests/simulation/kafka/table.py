"""The dedup table as Faust stores it: on a worker's disk, backed by a changelog topic.

A write is on the disk at once, and in the changelog after a flush. A new owner of a partition
reads the changelog from its own disk's offset on. As with Faust, nothing fences the changelog: a
former owner may still flush an old entry over a newer one.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from tests.simulation.process import Process

_Entries = dict[bytes, bytes]
#: Partition, key, and value; None deletes.
Write = tuple[int, bytes, bytes | None]


class Changelog:
    """The changelog topic: every flushed write by partition."""

    def __init__(self) -> None:
        self._writes: dict[int, list[tuple[bytes, bytes | None]]] = {}

    def append(self, writes: Sequence[Write]) -> None:
        """Appends flushed writes."""
        for partition, key, value in writes:
            self._writes.setdefault(partition, []).append((key, value))

    def replay(self, partition: int, entries: _Entries, after: int) -> int:
        """Applies the changelog from an offset on, and returns the new offset."""
        writes = self._writes.get(partition, [])
        for key, value in writes[after:]:
            _put(entries, key, value)
        return len(writes)


class Disk:
    """The tables' files on a worker's machine."""

    def __init__(self) -> None:
        self.entries: Final[dict[int, _Entries]] = {}
        self.replayed: Final[dict[int, int]] = {}


class Table:
    """``Entries`` on one worker's disk."""

    def __init__(self, disk: Disk, changelog: Changelog, process: Process) -> None:
        self._disk = disk
        self._changelog = changelog
        self._process = process
        self._unflushed: list[Write] = []

    def recover(self, partitions: Sequence[int]) -> None:
        """Reads the changelog of newly assigned partitions."""
        for partition in partitions:
            after = self._disk.replayed.get(partition, 0)
            entries = self._of(partition)
            self._disk.replayed[partition] = self._changelog.replay(partition, entries, after)

    def flush(self) -> None:
        """Appends all unflushed writes to the changelog."""
        self._changelog.append(self._unflushed)
        self._unflushed = []

    def get(self, partition: int, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """See ``Entries.get``."""
        entries = self._of(partition)
        return {key: entries[key] for key in keys if key in entries}

    def walk(self, partition: int, after: bytes, limit: int) -> Sequence[tuple[bytes, bytes]]:
        """See ``Entries.walk``."""
        entries = self._of(partition)
        return [(key, entries[key]) for key in sorted(k for k in entries if k > after)][:limit]

    async def put(self, partition: int, changes: Mapping[bytes, bytes | None]) -> None:
        """See ``Entries.put``."""
        await self._process.step("table.write")
        for key, value in changes.items():
            _put(self._of(partition), key, value)
            self._unflushed.append((partition, key, value))

    def _of(self, partition: int) -> _Entries:
        return self._disk.entries.setdefault(partition, {})


def _put(entries: _Entries, key: bytes, value: bytes | None) -> None:
    if value is None:
        entries.pop(key, None)
    else:
        entries[key] = value

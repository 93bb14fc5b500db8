"""Copies the log, sorted by the parts of a rebuild."""

from array import array
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import ConsumerRecord

from messaging import log_seeker
from ports.records import Unreadable
from postgres.ops.rebuild.parts import Connection, Route
from postgres.ops.rebuild.work import Work
from processor.ops.rebuild.blocks import LogRecord, pack
from schemas.headers import as_text
from schemas.topics import PROCESSOR_SOURCES

#: Bytes of records that are held until they are stored, all parts together. They become a block per
#: part, and only large blocks are compressed well.
HELD_BYTES: Final = 64 * 1024 * 1024
#: What a record takes besides its value, about.
_OVERHEAD_BYTES: Final = 500


class Positions:
    """Positions of records: eight bytes for each."""

    def __init__(self) -> None:
        self._offsets: dict[tuple[str, int], array[int]] = {}

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Adds rows of topic, partition and offset."""
        for topic, partition, offset in rows:
            self._offsets.setdefault((topic, partition), array("q")).append(offset)

    def count(self) -> int:
        """Returns how many there are."""
        return sum(map(len, self._offsets.values()))

    def of(self, topic: str) -> dict[int, list[int]]:
        """Returns a topic's offsets by partition, in ascending order."""
        return {p: sorted(found) for (name, p), found in self._offsets.items() if name == topic}

    def ends(self) -> dict[tuple[str, int], int]:
        """Returns the offset behind the last one, by topic and partition."""
        return {place: max(found) + 1 for place, found in self._offsets.items()}


class _Copy:
    """Records that wait to be stored."""

    def __init__(self, connection: Connection, work: Work, route: Route) -> None:
        self._connection = connection
        self._work = work
        self._route = route
        self._parts: dict[int, list[LogRecord]] = {}
        self._copied: dict[tuple[str, int], int] = {}
        self._bytes = 0

    async def add(self, records: "Sequence[ConsumerRecord[bytes, bytes]]") -> None:
        """Adds records of one partition. What never was a payment's input is left out."""
        for record in records:
            key, value = record.key, record.value
            if key is None or isinstance(value, Unreadable) or (part := self._route(key)) is None:
                continue
            value = b"" if value is None else value
            headers = as_text(record.headers)
            self._parts.setdefault(part, []).append(
                LogRecord(record.topic, record.partition, record.offset, key, headers, value)
            )
            self._bytes += len(value) + _OVERHEAD_BYTES
        if records:
            last = records[-1]
            self._copied[last.topic, last.partition] = last.offset + 1
        if self._bytes >= HELD_BYTES:
            await self.store()

    async def store(self) -> None:
        """Stores what waits, and how far the log is copied then."""
        blocks = [(part, pack(records)) for part, records in self._parts.items()]
        await self._work.add(self._connection, blocks, self._copied)
        self._parts.clear()
        self._copied.clear()
        self._bytes = 0


async def copy_log(
    connection: Connection, work: Work, bootstrap: str, route: Route, share: int, shares: int
) -> None:
    """Copies every ``shares``-th partition, from the number ``share``, to its present end.

    It goes on where an interrupted copy stopped. Raises KafkaError, psycopg.Error.
    """
    copied = await work.copied(connection)
    copy = _Copy(connection, work, route)
    for topic in PROCESSOR_SOURCES:

        def begin(partition: int, topic: str = topic) -> int | None:
            return copied.get((topic, partition), 0) if partition % shares == share else None

        async for records in log_seeker.records_from(bootstrap, topic, begin):
            await copy.add(records)
    await copy.store()


async def copy_positions(
    connection: Connection, work: Work, bootstrap: str, route: Route, positions: Positions
) -> None:
    """Copies the records at these positions. Those that have left the log are left out.

    Raises KafkaError, psycopg.Error.
    """
    copy = _Copy(connection, work, route)
    for topic in PROCESSOR_SOURCES:
        if wanted := positions.of(topic):
            async for records in log_seeker.records_at(bootstrap, topic, wanted):
                await copy.add(records)
    await copy.store()
    await work.add(connection, [], positions.ends())


async def spans(bootstrap: str) -> dict[tuple[str, int], tuple[int, int]]:
    """Returns the first offset and the end, by topic and partition."""
    return {
        (topic, partition): span
        for topic in PROCESSOR_SOURCES
        for partition, span in (await log_seeker.spans(bootstrap, topic)).items()
    }

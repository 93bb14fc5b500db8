"""The brokers: topics with append-only partitions, and a sender to them."""

import asyncio
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ports.errors import PublishError
from ports.producer_record import ProducerRecord
from ports.records import ConsumedRecord, RecordOffset
from schemas.headers import Headers, as_text
from schemas.topics import PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED
from tests.simulation.process import Process
from tests.simulation.trace import Trace

Place = tuple[str, int]
#: Topics with several partitions; all others have one.
_PARTITIONED: Final = (*PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED)


@dataclass(frozen=True, slots=True)
class Logged:
    """A stored record; ``timestamp`` is in ms since the Unix epoch."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers
    timestamp: int

    @property
    def position(self) -> RecordOffset:
        """Its position."""
        return RecordOffset(self.topic, self.partition, self.offset)

    def as_record(self) -> ConsumedRecord:
        """The record as the processor consumes it."""
        return ConsumedRecord(
            position=self.position,
            key=self.key,
            value=self.value,
            headers=as_text(self.headers),
            timestamp_ms=self.timestamp,
        )


class Log:
    """All topics except ``payment-state``."""

    def __init__(self, partitions: int, trace: Trace) -> None:
        self.partitions: Final = partitions
        self._trace = trace
        self._time = asyncio.get_running_loop().time
        self._records: dict[Place, list[Logged]] = {}
        self._waiting: list[asyncio.Future[None]] = []

    def append(self, topic: str, key: bytes | None, value: bytes, headers: Headers) -> RecordOffset:
        """Appends a record to its key's partition and returns its position."""
        partition = zlib.crc32(key or b"") % self.partitions if topic in _PARTITIONED else 0
        records = self._records.setdefault((topic, partition), [])
        at = int(self._time() * 1000)
        record = Logged(topic, partition, len(records), key, value, tuple(headers), at)
        records.append(record)
        text = (key or b"").decode("utf-8", "replace")
        self._trace.note("logged", text, f"{topic} {partition}:{record.offset}")
        self.wake_readers()
        return record.position

    def read(self, place: Place, offset: int, limit: int) -> Sequence[Logged]:
        """Records from an offset on."""
        return self._records.get(place, ())[offset : offset + limit]

    def end(self, place: Place) -> int:
        """The offset that the next record will have."""
        return len(self._records.get(place, ()))

    def at(self, position: RecordOffset) -> Logged:
        """The record at a position."""
        return self._records[position.topic, position.partition][position.offset]

    def all(self, topics: Iterable[str]) -> Iterator[Logged]:
        """Every record of these topics."""
        for topic in topics:
            for partition in range(self.partitions if topic in _PARTITIONED else 1):
                yield from self._records.get((topic, partition), ())

    def wake_readers(self) -> None:
        """Wakes all readers."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def news(self) -> None:
        """Returns when a record was appended to any topic, or after a rebalance."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future


class LogSender:
    """A ``Sending`` with the failures of an idempotent producer."""

    def __init__(self, log: Log, process: Process, name: str) -> None:
        self._log = log
        self._process = process
        self._name = name

    async def send(self, records: Sequence[ProducerRecord]) -> None:
        """See ``Sending.send``."""
        chance = self._process.chance
        await self._process.step(f"{self._name}.send")
        if chance.happens("send_failed"):
            raise PublishError("the brokers accepted nothing")
        unknown = chance.happens("send_unknown")
        taken = chance.random.randint(0, len(records)) if unknown else len(records)
        for record in records[:taken]:
            self._log.append(record.topic, record.key, record.value, record.headers)
        await self._process.step(f"{self._name}.sent")
        if unknown:
            raise PublishError("the brokers did not respond in time")

"""Whether each webhook that the router has acknowledged is anywhere: S1 for the router's topic.

The router stores a position only of what can't be decoded, so a webhook is looked for by its event
ID: waiting, ignored, in the inbox, on ``provider-webhooks`` or on ``dead-letters``. The router
commits an offset after it has put the webhook somewhere, and puts it into the next place before it
takes it out of the last one. So the places are looked at in that order, all of Postgres as of one
moment and the topics later, and nothing on its way is reported. What is on its way, or left the
inbox for its age, is all that the topics are read for; so many such IDs are in memory at a time.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from aiokafka import ConsumerRecord, TopicPartition

from messaging import log_reader
from messaging.log_reader import Extent, batches, extent
from ports.records import RecordOffset, id_at
from postgres.ops import audit as sql
from processor.ops.progress import Report
from schemas import headers
from schemas.topics import DEAD_LETTERS, PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED

Connection = psycopg.AsyncConnection[Any]
#: IDs in memory that Postgres does not have.
SOUGHT_MAX: Final = 50_000
#: By how much the clocks of two producers may differ.
SKEW: Final = timedelta(minutes=10)


class Sought:
    """Records that were found nowhere yet, by position and by event ID."""

    def __init__(self) -> None:
        #: By position: the event's ID, or nothing.
        self._left: dict[RecordOffset, str] = {}
        self._by_id: dict[str, list[RecordOffset]] = {}
        self._oldest_ms: int | None = None

    def __len__(self) -> int:
        return len(self._left)

    @property
    def since(self) -> datetime:
        """From when on they may have been put elsewhere."""
        return datetime.fromtimestamp((self._oldest_ms or 0) / 1000, UTC) - SKEW

    def add(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """Adds a record that is looked for."""
        position, event_id = log_reader.position(record), _event_id(record)
        self._left[position] = event_id
        self._by_id.setdefault(event_id, []).append(position)
        known = self._oldest_ms
        self._oldest_ms = record.timestamp if known is None else min(known, record.timestamp)

    def find(self, event_id: str) -> None:
        """Takes out all records of an event."""
        if event_id:
            for position in self._by_id.pop(event_id, ()):
                self._left.pop(position, None)

    def find_at(self, position: RecordOffset) -> None:
        """Takes out the record at a position."""
        self._left.pop(position, None)

    def __iter__(self) -> Iterator[RecordOffset]:
        yield from sorted(self._left, key=lambda at: (at.partition, at.offset))


class Unrouted:
    """Looks for the webhooks that the router has acknowledged.

    Args:
        bootstrap: the brokers.
        connection: Postgres.
        acknowledged: the router's committed offsets, by topic and partition.
        report: shows how far it is.
    """

    def __init__(
        self,
        bootstrap: str,
        connection: Connection,
        acknowledged: Mapping[tuple[str, int], int],
        report: Report,
    ) -> None:
        self._bootstrap = bootstrap
        self._connection = connection
        self._acknowledged = acknowledged
        self._report = report
        #: How many records were looked at.
        self.records = 0

    async def lost(self, since: datetime | None) -> AsyncIterator[str]:
        """Yields each record since then that is nowhere. Raises psycopg.Error, KafkaError."""
        wanted = await self._wanted(since)
        total = sum(end - first for first, end in wanted.values())
        sought = Sought()
        self._report(f"records of {PROVIDER_WEBHOOKS_UNROUTED}", 0, total)
        async for found in batches(self._bootstrap, PROVIDER_WEBHOOKS_UNROUTED, wanted):
            self.records += len(found)
            for missing in await self._not_in_tables(found):
                sought.add(missing)
            if len(sought) >= SOUGHT_MAX:
                for position in await self._nowhere(sought):
                    yield f"{position} has no outcome"
                sought = Sought()
            self._report(f"records of {PROVIDER_WEBHOOKS_UNROUTED}", self.records, total)
        for position in await self._nowhere(sought):
            yield f"{position} has no outcome"

    async def _wanted(self, since: datetime | None) -> Extent:
        def acknowledged(partition: TopicPartition) -> int:
            return self._acknowledged.get((partition.topic, partition.partition), 0)

        present = await extent(self._bootstrap, PROVIDER_WEBHOOKS_UNROUTED, since)
        ends = {p: min(end, acknowledged(p)) for p, (_, end) in present.items()}
        return {p: (first, ends[p]) for p, (first, _) in present.items() if first < ends[p]}

    async def _not_in_tables(
        self, found: list[ConsumerRecord[bytes, bytes]]
    ) -> list[ConsumerRecord[bytes, bytes]]:
        ids = [_ids(record) for record in found]
        asked = [each for of_record in ids for each in of_record]
        cursor = await self._connection.execute(sql.UNROUTED_FOUND, {"ids": asked})
        known = {event_id for (event_id,) in await cursor.fetchall()}
        return [r for r, of_record in zip(found, ids, strict=True) if known.isdisjoint(of_record)]

    async def _nowhere(self, sought: Sought) -> Sought:
        """Takes out those of them that a topic has."""
        for topic in (PROVIDER_WEBHOOKS, DEAD_LETTERS):
            if not sought:
                break
            wanted = await extent(self._bootstrap, topic, sought.since)
            async for found in batches(self._bootstrap, topic, wanted):
                for record in found:
                    sought.find(_event_id(record))
                    if topic == DEAD_LETTERS and (position := _original(record)) is not None:
                        sought.find_at(position)
        return sought


def _event_id(record: ConsumerRecord[bytes, bytes]) -> str:
    return headers.as_text(record.headers).get(headers.EVENT_ID, "")


def _ids(record: ConsumerRecord[bytes, bytes]) -> tuple[str, ...]:
    """Returns the IDs that a table may have the record under."""
    event_id = _event_id(record)
    return (event_id, id_at(event_id, log_reader.position(record))) if event_id else ()


def _original(record: ConsumerRecord[bytes, bytes]) -> RecordOffset | None:
    """Returns where a dead letter comes from, if it is from the router's topic."""
    named = headers.as_text(record.headers)
    if named.get(headers.ORIGINAL_TOPIC) != PROVIDER_WEBHOOKS_UNROUTED:
        return None
    partition, offset = named[headers.ORIGINAL_PARTITION], named[headers.ORIGINAL_OFFSET]
    return RecordOffset(PROVIDER_WEBHOOKS_UNROUTED, int(partition), int(offset))

"""``dead-letters``: lists the topic's records, and sends them to their original topics again."""

import re
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiokafka import ConsumerRecord
from psycopg import AsyncConnection

from messaging import log_reader
from ports.producer_record import ProducerRecord
from ports.stores import RecordSender
from ports.texts import moment, printable
from postgres.deadlines import OperatingConnection
from postgres.ops import operator as store
from postgres.ops.operator import DeadLetterPosition
from schemas import headers
from schemas.headers import Headers, as_text
from schemas.topics import DEAD_LETTERS, PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED

#: Dead letters that are sent and noted together.
CHUNK_RECORDS: Final = 200
#: The topics that a dead letter may have come from.
ORIGINS: Final = frozenset({*PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED})
#: The headers that we add to a dead letter.
_ADDED_HEADERS: Final = frozenset(
    {
        headers.ORIGINAL_TOPIC,
        headers.ORIGINAL_PARTITION,
        headers.ORIGINAL_OFFSET,
        headers.ORIGINAL_TIMESTAMP,
        headers.ERROR,
        headers.ALTERED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterRecord:
    """A dead letter: its position on the topic, and the original record."""

    position: DeadLetterPosition
    key: bytes | None
    value: bytes
    #: The headers of the original record.
    headers: Headers
    #: The headers that we added, by name: origin and error.
    added: Mapping[str, str]

    @property
    def topic(self) -> str:
        """The topic that it came from; empty if unknown."""
        return self.added.get(headers.ORIGINAL_TOPIC, "")

    @property
    def origin(self) -> str:
        """The original topic, partition and offset, as text."""
        partition = self.added.get(headers.ORIGINAL_PARTITION, "?")
        return f"{self.topic or '?'} {partition}:{self.added.get(headers.ORIGINAL_OFFSET, '?')}"


@dataclass(slots=True, kw_only=True)
class ReplaySummary:
    """How many dead letters a replay sent, and why it left others out."""

    sent: int = 0
    #: Left out: they were sent before.
    already_sent: int = 0
    #: Left out: their original topic is unknown.
    unknown_origin: int = 0
    #: Left out: parts of the original record were cut off. The log has it whole.
    altered: int = 0
    #: Requested by position, but not on the topic.
    missing: tuple[DeadLetterPosition, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether every requested dead letter was sent, now or before."""
        return not (self.unknown_origin or self.altered or self.missing)


async def read_dead_letters(kafka_bootstrap: str) -> AsyncIterator[DeadLetterRecord]:
    """Yields every dead letter that is still on the topic."""
    async for record in log_reader.records(kafka_bootstrap, DEAD_LETTERS):
        yield _as_dead_letter(record)


def _as_dead_letter(record: ConsumerRecord[bytes, bytes]) -> DeadLetterRecord:
    return DeadLetterRecord(
        position=(record.partition, record.offset),
        key=record.key,
        value=record.value or b"",
        headers=[(name, value) for name, value in record.headers if name not in _ADDED_HEADERS],
        added=as_text([(name, value) for name, value in record.headers if name in _ADDED_HEADERS]),
    )


async def replay(
    kafka_bootstrap: str,
    database_url: str,
    sender: RecordSender,
    wanted: Collection[DeadLetterPosition] | None,
    clock: Callable[[], datetime],
    *,
    again: bool = False,
) -> ReplaySummary:
    """Sends dead letters to their original topics, with the original key, value and headers.

    A record that decodes now is processed like any other; if its event was processed meanwhile, it
    is a duplicate. A record that still can't be decoded becomes a new dead letter. A crash may send
    up to ``CHUNK_RECORDS`` records twice.

    Args:
        kafka_bootstrap: the brokers.
        database_url: where it is noted which dead letters were sent.
        sender: publishes the records.
        wanted: positions on the topic; None: all.
        clock: the current time in UTC.
        again: also send those that were sent before.

    Raises:
        PublishError, KafkaError, psycopg.Error: an outage. The command can be repeated.
    """
    result, found = ReplaySummary(), set()
    async with await OperatingConnection.connect(database_url, autocommit=True) as connection:
        sent = {} if again else await store.replayed(connection)
        chunk: list[DeadLetterRecord] = []
        async for dead_letter in read_dead_letters(kafka_bootstrap):
            if wanted is not None and dead_letter.position not in wanted:
                continue
            found.add(dead_letter.position)
            if dead_letter.position in sent:
                result.already_sent += 1
            elif dead_letter.topic not in ORIGINS:
                result.unknown_origin += 1
            elif headers.ALTERED in dead_letter.added:
                result.altered += 1
            else:
                chunk.append(dead_letter)
            if len(chunk) == CHUNK_RECORDS:
                result.sent += await _send(connection, sender, chunk, clock())
                chunk.clear()
        result.sent += await _send(connection, sender, chunk, clock())
    result.missing = tuple(sorted(set(wanted or ()) - found))
    return result


async def _send(
    connection: AsyncConnection[Any],
    sender: RecordSender,
    chunk: list[DeadLetterRecord],
    now: datetime,
) -> int:
    if chunk:
        await sender.send([ProducerRecord(x.topic, x.key, x.value, x.headers) for x in chunk])
        await store.note_replayed(connection, [dead_letter.position for dead_letter in chunk], now)
    return len(chunk)


async def replayed(database_url: str) -> dict[DeadLetterPosition, datetime]:
    """Returns when each dead letter was last sent again, of those that were."""
    async with await OperatingConnection.connect(database_url) as connection:
        return await store.replayed(connection)


def describe(dead_letter: DeadLetterRecord, sent_at: datetime | None) -> str:
    """Describes a dead letter without its content."""
    sent = f"  (sent again {moment(sent_at)})" if sent_at is not None else ""
    partition, offset = dead_letter.position
    error = printable(dead_letter.added.get(headers.ERROR, "unknown error"))
    altered = printable(dead_letter.added.get(headers.ALTERED, ""))
    origin, size = printable(dead_letter.origin), len(dead_letter.value)
    note = f"\n    not the whole original record: {altered}" if altered else ""
    return f"{partition}:{offset}  from {origin}, {size} bytes{sent}\n    {error}{note}"


def describe_in_full(dead_letter: DeadLetterRecord) -> Iterator[str]:
    """Describes a dead letter with its content, line by line. Control characters are escaped."""
    yield describe(dead_letter, None)
    yield f"key: {dead_letter.key!r}"
    for name, text in as_text(dead_letter.headers).items():
        yield f"{printable(name)}: {printable(text)}"
    yield ""
    yield printable(dead_letter.value.decode("utf-8", "backslashreplace"), keep="\n\t")


def describe_replay(result: ReplaySummary) -> Iterator[str]:
    """Describes the result of a replay, line by line."""
    yield f"{result.sent} dead letters sent to their topics again"
    if result.already_sent:
        yield f"{result.already_sent} left out: they were sent before (--again sends them anyway)"
    if result.unknown_origin:
        yield f"{result.unknown_origin} left out: their original topic is unknown"
    if result.altered:
        yield f"{result.altered} left out: they are not the whole record, which the log has"
    for partition, offset in result.missing:
        yield f"{partition}:{offset} is not on the topic"


def parse_position(text: str) -> DeadLetterPosition:
    """Parses ``PARTITION:OFFSET``. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,18})", text)
    if found is None:
        raise ValueError("not PARTITION:OFFSET")
    return int(found[1]), int(found[2])

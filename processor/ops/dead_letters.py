"""``dead-letters``: what lies on the topic, and sending it to where it came from again."""

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiokafka import ConsumerRecord
from psycopg import AsyncConnection

from messaging import log_reader
from ports.producer_record import ProducerRecord
from ports.stores import RecordSender
from ports.texts import moment
from postgres import operator as store
from postgres.deadlines import OperatingConnection
from postgres.operator import Place
from schemas import headers
from schemas.headers import Headers, as_text
from schemas.topics import DEAD_LETTERS, PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED

#: Letters sent and noted at a time.
CHUNK: Final = 200
#: Where a dead letter may have come from.
ORIGINS: Final = frozenset({*PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED})
_OURS: Final = frozenset(
    {
        headers.ORIGINAL_TOPIC,
        headers.ORIGINAL_PARTITION,
        headers.ORIGINAL_OFFSET,
        headers.ORIGINAL_TIMESTAMP,
        headers.ERROR,
        headers.ALTERED,
    }
)


@dataclass(frozen=True, slots=True)
class DeadLetterRecord:
    """A dead letter: where it lies, and the record as it came, with our headers by name."""

    place: Place
    key: bytes | None
    value: bytes
    came_with: Headers
    ours: Mapping[str, str]

    @property
    def topic(self) -> str:
        """Where it came from; empty where nobody noted it."""
        return self.ours.get(headers.ORIGINAL_TOPIC, "")

    @property
    def origin(self) -> str:
        """Where it stood, for people."""
        partition = self.ours.get(headers.ORIGINAL_PARTITION, "?")
        return f"{self.topic or '?'} {partition}:{self.ours.get(headers.ORIGINAL_OFFSET, '?')}"


@dataclass(slots=True)
class ReplaySummary:
    """What became of a replay of dead letters."""

    sent: int = 0
    #: Left out, because they were sent before.
    before: int = 0
    #: Nobody noted where they came from.
    homeless: int = 0
    #: They are not the records as they came; the log has those.
    altered: int = 0
    #: Asked for by position, and not there.
    missing: tuple[Place, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether everything that was asked for was sent."""
        return not (self.homeless or self.altered or self.missing)


async def letters(kafka_bootstrap: str) -> AsyncIterator[DeadLetterRecord]:
    """Every dead letter that the topic still has."""
    async for record in log_reader.records(kafka_bootstrap, DEAD_LETTERS):
        yield _letter(record)


def _letter(record: ConsumerRecord[bytes, bytes]) -> DeadLetterRecord:
    return DeadLetterRecord(
        (record.partition, record.offset),
        record.key,
        record.value or b"",
        [(name, value) for name, value in record.headers if name not in _OURS],
        as_text([(name, value) for name, value in record.headers if name in _OURS]),
    )


async def replay(
    kafka_bootstrap: str,
    database_url: str,
    sender: RecordSender,
    wanted: Collection[Place] | None,
    clock: Callable[[], datetime],
    *,
    again: bool = False,
) -> ReplaySummary:
    """Sends these letters, or all, to where they came from, as they came.

    One that decodes now is processed like any other record; if its event was processed meanwhile,
    it is a duplicate. One that still can't be decoded is a dead letter once more. What was sent is
    noted, and left out the next time, unless ``again``. A crash between sending and noting sends
    up to 200 letters twice. Raises PublishError, KafkaError, psycopg.Error.
    """
    result, found = ReplaySummary(), set()
    async with await OperatingConnection.connect(database_url, autocommit=True) as connection:
        before = {} if again else await store.replayed(connection)
        chunk: list[DeadLetterRecord] = []
        async for letter in letters(kafka_bootstrap):
            if wanted is not None and letter.place not in wanted:
                continue
            found.add(letter.place)
            if letter.place in before:
                result.before += 1
            elif letter.topic not in ORIGINS:
                result.homeless += 1
            elif headers.ALTERED in letter.ours:
                result.altered += 1
            else:
                chunk.append(letter)
            if len(chunk) == CHUNK:
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
        await sender.send([ProducerRecord(x.topic, x.key, x.value, x.came_with) for x in chunk])
        await store.note_replayed(connection, [letter.place for letter in chunk], now)
    return len(chunk)


async def replayed(database_url: str) -> dict[Place, datetime]:
    """When each letter was sent again, of those that were."""
    async with await OperatingConnection.connect(database_url) as connection:
        return await store.replayed(connection)


def line(letter: DeadLetterRecord, sent_at: datetime | None) -> str:
    """One letter in words, without a word of what is in it."""
    sent = f"  (sent again {moment(sent_at)})" if sent_at is not None else ""
    partition, offset = letter.place
    error = letter.ours.get(headers.ERROR, "nobody noted why")
    altered = letter.ours.get(headers.ALTERED)
    note = f"\n    not the record as it came: {altered}" if altered else ""
    return (
        f"{partition}:{offset}  from {letter.origin}, {len(letter.value)} bytes{sent}"
        f"\n    {error}{note}"
    )


def shown(letter: DeadLetterRecord) -> Iterator[str]:
    """One letter with all that is in it."""
    yield line(letter, None)
    yield f"key: {letter.key!r}"
    for name, text in as_text(letter.came_with).items():
        yield f"{name}: {text}"
    yield ""
    yield letter.value.decode("utf-8", "backslashreplace")


def summary(result: ReplaySummary) -> Iterator[str]:
    """What became of a replay, in words."""
    yield f"{result.sent} dead letters sent to their topics again"
    if result.before:
        yield f"{result.before} left out: they were sent before (--again sends them all the same)"
    if result.homeless:
        yield f"{result.homeless} left out: nobody noted which topic they came from"
    if result.altered:
        yield f"{result.altered} left out: they are not the records as they came, which the log has"
    for partition, offset in result.missing:
        yield f"{partition}:{offset} is not on the topic"


def place(text: str) -> Place:
    """A position as it is written, ``PARTITION:OFFSET``. Raises ValueError."""
    partition, _, offset = text.partition(":")
    return int(partition), int(offset)

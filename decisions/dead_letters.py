"""Dead letters: undecodable records as they were consumed, with source and reason.

A record may be larger than a dead letter can be: it was compressed, or its headers take more room
as text. Then the dead letter has as much of it as fits, and a header says what was cut.
"""

from collections.abc import Iterable
from typing import Final

from ports.producer_record import ProducerRecord
from ports.records import ConsumedRecord, DeadLetter, Unreadable
from ports.texts import storable
from runtime.logs import get_logger
from schemas import headers
from schemas.headers import Headers
from schemas.topics import DEAD_LETTER_BYTES_MAX, DEAD_LETTERS

#: The largest parts of a dead letter: together well below what the brokers and the producer take.
HEADER_BYTES_MAX: Final = DEAD_LETTER_BYTES_MAX // 8
KEY_BYTES_MAX: Final = DEAD_LETTER_BYTES_MAX // 8
VALUE_BYTES_MAX: Final = DEAD_LETTER_BYTES_MAX * 5 // 8
#: Overhead of each header beside its name and its value: their lengths.
_HEADER_BYTES: Final = 10
_UNREADABLE: Final = "a whole batch that can't be parsed, or one of its offsets"

log = get_logger(__name__)


def note(dead: Iterable[DeadLetter]) -> None:
    """Logs one line per dead letter: source, size in bytes and reason, never its content."""
    for letter in dead:
        at = letter.record.position
        log.warning(
            "dead_letter",
            topic=at.topic,
            partition=at.partition,
            offset=at.offset,
            bytes=len(letter.record.value),
            reason=storable(letter.error),
        )


def as_outgoing(dead: Iterable[DeadLetter]) -> list[ProducerRecord]:
    """Returns records for ``dead-letters``, with source and reason in their headers."""
    return [_outgoing(letter) for letter in dead]


def _outgoing(letter: DeadLetter) -> ProducerRecord:
    record, position = letter.record, letter.record.position
    came_with, altered = _came_with(record), []
    if isinstance(record.value, Unreadable):
        altered.append(_UNREADABLE)
    key, value = record.key, bytes(record.value)
    if len(came_with) < len(record.headers):
        altered.append(f"{len(record.headers) - len(came_with)} headers are left out")
    if key is not None and len(key) > KEY_BYTES_MAX:
        altered.append(f"the key of {len(key)} bytes is cut")
        key = key[:KEY_BYTES_MAX]
    if len(value) > VALUE_BYTES_MAX:
        altered.append(f"the value of {len(value)} bytes is cut")
        value = value[:VALUE_BYTES_MAX]
    return ProducerRecord(
        DEAD_LETTERS,
        key,
        value,
        [
            *came_with,
            (headers.ORIGINAL_TOPIC, position.topic.encode()),
            (headers.ORIGINAL_PARTITION, str(position.partition).encode()),
            (headers.ORIGINAL_OFFSET, str(position.offset).encode()),
            (headers.ORIGINAL_TIMESTAMP, str(record.timestamp_ms).encode()),
            (headers.ERROR, storable(letter.error).encode("utf-8", "replace")),
            *((headers.ALTERED, why.encode()) for why in ("; ".join(altered),) if why),
        ],
    )


def _came_with(record: ConsumedRecord) -> Headers:
    """Returns the record's headers up to the first that does not fit."""
    fitting: list[tuple[str, bytes]] = []
    room = HEADER_BYTES_MAX
    for name, text in record.headers.items():
        value = text.encode("utf-8", "replace")
        room -= len(name.encode("utf-8", "replace")) + len(value) + _HEADER_BYTES
        if room < 0:
            break
        fitting.append((name, value))
    return fitting

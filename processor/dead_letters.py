"""Dead letters: a record nobody could decode, as it came, with where it stood and why."""

from collections.abc import Iterable

from processor.records import DeadLetter
from processor.sender import Outgoing
from processor.texts import storable
from schemas import headers
from schemas.topics import DEAD_LETTERS


def as_outgoing(letters: Iterable[DeadLetter]) -> list[Outgoing]:
    """Dead letters as they go out: the record as it came, where it stood and why in headers."""
    return [_outgoing(letter) for letter in letters]


def _outgoing(letter: DeadLetter) -> Outgoing:
    record, position = letter.record, letter.record.position
    came_with = [(name, value.encode()) for name, value in record.headers.items()]
    return Outgoing(
        DEAD_LETTERS,
        record.key,
        record.value,
        [
            *came_with,
            (headers.ORIGINAL_TOPIC, position.topic.encode()),
            (headers.ORIGINAL_PARTITION, str(position.partition).encode()),
            (headers.ORIGINAL_OFFSET, str(position.offset).encode()),
            (headers.ORIGINAL_TIMESTAMP, str(record.timestamp_ms).encode()),
            (headers.ERROR, storable(letter.error).encode()),
        ],
    )

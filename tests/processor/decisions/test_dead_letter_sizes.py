"""A dead letter fits into its topic, whatever the record was; what is left out is named."""

from typing import Final

import pytest

from decisions.dead_letters import HEADER_BYTES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX, as_outgoing
from ports.producer_record import ProducerRecord
from ports.records import ConsumedRecord, DeadLetter, RecordOffset, Unreadable
from schemas import headers
from schemas.topics import DEAD_LETTER_BYTES_MAX, PAYMENT_COMMANDS

_HERE: Final = RecordOffset(PAYMENT_COMMANDS, 0, 7)
_MIB: Final = 1 << 20
_LARGE: Final = {
    "value": ConsumedRecord(_HERE, b"k", b"v" * 30 * _MIB, {"a": "b"}, 0),
    "key": ConsumedRecord(_HERE, b"k" * 30 * _MIB, b"v", {"a": "b"}, 0),
    "header": ConsumedRecord(_HERE, b"k", b"v", {"a": "\ufffd" * _MIB, "b": "c"}, 0),
    "headers": ConsumedRecord(_HERE, b"k", b"v", {f"h{n}": "x" for n in range(200_000)}, 0),
    "all": ConsumedRecord(_HERE, b"k" * 9 * _MIB, b"v" * 9 * _MIB, {"a": "b" * 9 * _MIB}, 0),
}


def sent(record: ConsumedRecord) -> ProducerRecord:
    """The dead letter of a record."""
    (letter,) = as_outgoing([DeadLetter(record, "why \ud800" * 500)])
    return letter


def size(letter: ProducerRecord) -> int:
    """What it takes, at most."""
    named = sum(len(name.encode()) + len(value) + 10 for name, value in letter.headers)
    return len(letter.key or b"") + len(letter.value) + named


@pytest.mark.parametrize("what", _LARGE)
def test_it_fits_and_says_what_is_left_out(what: str) -> None:
    """A record that was compressed may be many times larger than what the brokers take."""
    letter = sent(_LARGE[what])
    assert size(letter) < DEAD_LETTER_BYTES_MAX - 10_000
    altered = headers.as_text(letter.headers)[headers.ALTERED]
    named = [word for word in ("value", "key", "header") if word in altered]
    assert named == (["value", "key", "header"] if what == "all" else [what.removesuffix("s")])


def test_its_headers_leave_room_for_key_and_value() -> None:
    """Each takes its lengths besides its name and value, and many small ones are many."""
    record = _LARGE["headers"]
    named = [(n, v) for n, v in sent(record).headers if n in record.headers]
    taken = sum(len(name.encode()) + len(value) + 10 for name, value in named)
    assert HEADER_BYTES_MAX - 100 < taken <= HEADER_BYTES_MAX


def test_what_fits_is_whole() -> None:
    """To the last byte of each part."""
    record = ConsumedRecord(_HERE, b"k" * KEY_BYTES_MAX, b"v" * VALUE_BYTES_MAX, {"a": "b"}, 0)
    letter = sent(record)
    assert (letter.key, letter.value) == (record.key, record.value)
    assert headers.ALTERED not in dict(letter.headers)


def test_a_batch_that_nobody_can_take_apart_is_not_sent_again() -> None:
    """Its bytes are no record of the topic it came from."""
    letter = sent(ConsumedRecord(_HERE, None, Unreadable(b"batch", "why"), {}, -1))
    assert type(letter.value) is bytes
    assert headers.ALTERED in dict(letter.headers)

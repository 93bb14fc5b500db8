"""A dead letter of any record fits its topic, and names the parts that were left out."""

from typing import Final

import pytest

from decisions.dead_letters import (
    HEADER_BYTES_MAX,
    KEY_BYTES_MAX,
    VALUE_BYTES_MAX,
    as_outgoing,
    note,
)
from ports.producer_record import ProducerRecord
from ports.records import ConsumedRecord, DeadLetter, RecordOffset, Unreadable
from schemas import headers
from schemas.topics import DEAD_LETTER_BYTES_MAX, PAYMENT_COMMANDS
from tests.support.log_lines import lines

_HERE: Final = RecordOffset(PAYMENT_COMMANDS, 0, 7)
_MIB: Final = 1 << 20
_LARGE: Final = {
    "value": ConsumedRecord(
        position=_HERE, key=b"k", value=b"v" * 30 * _MIB, headers={"a": "b"}, timestamp_ms=0
    ),
    "key": ConsumedRecord(
        position=_HERE, key=b"k" * 30 * _MIB, value=b"v", headers={"a": "b"}, timestamp_ms=0
    ),
    "header": ConsumedRecord(
        position=_HERE,
        key=b"k",
        value=b"v",
        headers={"a": "\ufffd" * _MIB, "b": "c"},
        timestamp_ms=0,
    ),
    "headers": ConsumedRecord(
        position=_HERE,
        key=b"k",
        value=b"v",
        headers={f"h{n}": "x" for n in range(200_000)},
        timestamp_ms=0,
    ),
    "all": ConsumedRecord(
        position=_HERE,
        key=b"k" * 9 * _MIB,
        value=b"v" * 9 * _MIB,
        headers={"a": "b" * 9 * _MIB},
        timestamp_ms=0,
    ),
}


def sent(record: ConsumedRecord) -> ProducerRecord:
    """The dead letter of a record."""
    (dead_letter,) = as_outgoing([DeadLetter(record, "why \ud800" * 500)])
    return dead_letter


def size(dead_letter: ProducerRecord) -> int:
    """Returns its size in bytes, at most."""
    named = sum(len(name.encode()) + len(value) + 10 for name, value in dead_letter.headers)
    return len(dead_letter.key or b"") + len(dead_letter.value) + named


@pytest.mark.parametrize("what", _LARGE)
def test_a_dead_letter_fits_and_names_what_is_left_out(what: str) -> None:
    """A record, once decompressed, may be many times larger than the brokers' limit."""
    dead_letter = sent(_LARGE[what])
    assert size(dead_letter) < DEAD_LETTER_BYTES_MAX - 10_000
    altered = headers.as_text(dead_letter.headers)[headers.ALTERED]
    named = [word for word in ("value", "key", "header") if word in altered]
    assert named == (["value", "key", "header"] if what == "all" else [what.removesuffix("s")])


def test_headers_leave_room_for_key_and_value() -> None:
    """Each header also needs bytes for its lengths, which matters with many small ones."""
    record = _LARGE["headers"]
    named = [(n, v) for n, v in sent(record).headers if n in record.headers]
    taken = sum(len(name.encode()) + len(value) + 10 for name, value in named)
    assert HEADER_BYTES_MAX - 100 < taken <= HEADER_BYTES_MAX


def test_a_record_that_fits_is_unchanged() -> None:
    """Even if key and value have the largest size that fits."""
    record = ConsumedRecord(
        position=_HERE,
        key=b"k" * KEY_BYTES_MAX,
        value=b"v" * VALUE_BYTES_MAX,
        headers={"a": "b"},
        timestamp_ms=0,
    )
    dead_letter = sent(record)
    assert (dead_letter.key, dead_letter.value) == (record.key, record.value)
    assert headers.ALTERED not in dict(dead_letter.headers)


def test_an_unreadable_batch_is_marked_as_altered() -> None:
    """A replay must not send it to its topic, because its bytes are no record."""
    dead_letter = sent(
        ConsumedRecord(
            position=_HERE, key=None, value=Unreadable(b"batch", "why"), headers={}, timestamp_ms=-1
        )
    )
    assert type(dead_letter.value) is bytes
    assert headers.ALTERED in dict(dead_letter.headers)


def test_a_dead_letter_is_logged_without_its_content(caplog: pytest.LogCaptureFixture) -> None:
    """Source, size and reason are enough to find it. Its bytes are a client's or a provider's."""
    record = ConsumedRecord(
        position=_HERE, key=b"private", value=b"private", headers={"a": "private"}, timestamp_ms=0
    )
    note([DeadLetter(record, "not a command")])
    (line,) = lines(caplog, "dead_letter")
    assert "private" not in str(line)
    assert (line["topic"], line["partition"], line["offset"]) == (PAYMENT_COMMANDS, 0, 7)
    assert (line["bytes"], line["reason"]) == (7, "not a command")

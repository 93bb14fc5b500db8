"""Which records have exactly one outcome, in one bit each."""

import random
from typing import Final

import pytest

from ports.records import RecordOffset
from processor.ops.ledger import Ledger, Positions

BLOCK: Final = 1 << 16


def _at(offset: int, partition: int = 0, topic: str = "t") -> RecordOffset:
    return RecordOffset(topic, partition, offset)


@pytest.mark.parametrize(
    ("first", "stop"),
    [(0, 1), (0, 8), (3, 5), (7, 9), (5, 100), (BLOCK - 1, BLOCK + 1), (9, 2 * BLOCK + 3), (4, 4)],
)
def test_a_span_is_each_of_its_positions(first: int, stop: int) -> None:
    """Within a byte, across bytes, and across blocks."""
    positions = Positions()
    positions.add_all("t", 0, first, stop)
    assert list(positions) == [_at(offset) for offset in range(first, stop)]
    assert not any(positions.add(_at(offset)) for offset in range(first, stop))
    assert positions.add(_at(stop))


def test_spans_and_positions_are_a_set() -> None:
    """Whatever overlaps."""
    chance, positions, expected = random.Random(1), Positions(), set[RecordOffset]()  # noqa: S311
    for _ in range(300):
        first, partition = chance.randrange(3 * BLOCK), chance.randrange(2)
        stop = first + chance.randrange(40)
        positions.add_all("t", partition, first, stop)
        positions.add(_at(stop + 5, partition))
        expected |= {_at(offset, partition) for offset in (*range(first, stop), stop + 5)}
    assert set(positions) == expected


def test_records_without_an_outcome_and_with_several_are_reported() -> None:
    """An outcome of a record that is no longer in the log is no violation, two of it are."""
    ledger = Ledger()
    ledger.log("t", 0, 10, 13)
    for offset in (10, 12, 12, 12, 99, 100, 100):
        ledger.end(_at(offset))
    assert list(ledger.violations()) == [
        f"{_at(11)} has no outcome",
        f"{_at(12)} has several outcomes",
        f"{_at(100)} has several outcomes",
    ]
    assert next(iter(ledger.violations({("t", 0): 12}))) == f"{_at(12)} has several outcomes"
    assert ledger.records == 3

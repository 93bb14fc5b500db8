"""S1 as set logic: which records are in the log, and which of them ended in an outcome.

Both are sets of positions in the log with one bit for each offset, so ten million payments of seven
records take 18 MB.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from ports.records import RecordOffset

#: Offsets of outcomes, by topic and partition.
Outcomes = Mapping[tuple[str, int], Sequence[int]]
#: Offsets of one block of bits, 8 KiB.
_BLOCK: Final = 1 << 16


class Positions:
    """A set of positions in the log."""

    def __init__(self) -> None:
        #: Bits by topic, partition and number of block.
        self.blocks: dict[tuple[str, int, int], bytearray] = {}

    def add(self, position: RecordOffset) -> bool:
        """Adds a position. Returns whether it was new."""
        offset = position.offset
        block = self._block(position.topic, position.partition, offset)
        at, bit = (offset % _BLOCK) >> 3, 1 << (offset & 7)
        if block[at] & bit:
            return False
        block[at] |= bit
        return True

    def add_all(self, topic: str, partition: int, first: int, stop: int) -> None:
        """Adds the positions from ``first`` up to, but not including, ``stop``."""
        while first < stop:
            block = self._block(topic, partition, first)
            at, end = first % _BLOCK, min(stop - first + first % _BLOCK, _BLOCK)
            part = slice(at >> 3, (end + 7) >> 3)
            bits = ((1 << (end - at)) - 1) << (at & 7)
            old = int.from_bytes(block[part], "little")
            block[part] = (old | bits).to_bytes(part.stop - part.start, "little")
            first += end - at

    def _block(self, topic: str, partition: int, offset: int) -> bytearray:
        key = topic, partition, offset // _BLOCK
        block = self.blocks.get(key)
        if block is None:
            block = self.blocks[key] = bytearray(_BLOCK // 8)
        return block

    def __iter__(self) -> Iterator[RecordOffset]:
        return self.without(Positions())

    def without(self, others: "Positions") -> Iterator[RecordOffset]:
        """Yields the positions that are not among the others, in order."""
        for key in sorted(self.blocks):
            mine = int.from_bytes(self.blocks[key], "little")
            theirs = int.from_bytes(others.blocks.get(key, b""), "little")
            if left := mine & ~theirs:
                yield from _positions(key, left)


def _positions(key: tuple[str, int, int], bits: int) -> Iterator[RecordOffset]:
    topic, partition, number = key
    for at, byte in enumerate(bits.to_bytes(_BLOCK // 8, "little")):
        for bit in range(8) if byte else ():
            if byte >> bit & 1:
                yield RecordOffset(topic, partition, number * _BLOCK + at * 8 + bit)


class Ledger:
    """The records that must have exactly one outcome, and the outcomes."""

    def __init__(self) -> None:
        self.logged = Positions()
        #: Records whose outcome may be in flight.
        self.waiting = Positions()
        self._ended = Positions()
        self._ended_again = Positions()
        #: How many records were read.
        self.records = 0

    def log(self, topic: str, partition: int, first: int, stop: int) -> None:
        """Notes the records from ``first`` up to ``stop``; each must have an outcome."""
        self.records += stop - first
        self.logged.add_all(topic, partition, first, stop)

    def wait(self, topic: str, partition: int, first: int, stop: int) -> None:
        """Notes records whose outcomes may be in flight."""
        self.records += stop - first
        self.waiting.add_all(topic, partition, first, stop)

    def end(self, position: RecordOffset) -> None:
        """Notes an outcome."""
        if not self._ended.add(position):
            self._ended_again.add(position)

    def end_all(self, outcomes: Outcomes) -> None:
        """Notes many outcomes."""
        for (topic, partition), offsets in outcomes.items():
            for offset in offsets:
                self.end(RecordOffset(topic, partition, offset))

    def violations(self, first: Mapping[tuple[str, int], int] | None = None) -> Iterator[str]:
        """Yields the records without an outcome, and those with several.

        Args:
            first: by topic and partition: the offset from which on outcomes must still exist.
        """
        kept: Callable[[tuple[str, int], int], int] = (first or {}).get
        for position in self.logged.without(self._ended):
            if position.offset >= kept((position.topic, position.partition), 0):
                yield f"{position} has no outcome"
        for position in self._ended_again:
            yield f"{position} has several outcomes"

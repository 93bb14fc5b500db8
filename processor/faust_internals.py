"""Everything that reaches inside Faust, with its reason. faust-streaming is pinned because of it.

* ``noack_take`` is the only iteration that lets us acknowledge after our own commit, but it runs
  our code with no current event, and a table refuses to be used without one. ``as_current``
  sets it.
* A table can only be walked as a whole, which for millions of keys stops the stream. ``walk``
  reads a few entries of one partition's RocksDB from where the last walk ended.
* Faust takes an offset that it was not handed in order for one that does not exist, and commits
  past it. In a rebalance it is handed records out of order and drops some, so one of them could be
  lost. ``StrictConsumer`` commits only up to the first record that was not acknowledged.
"""

import logging
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from time import monotonic
from typing import Any, Final

from faust.streams import _current_event
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP, EventT

from processor.restart import start_anew

log = logging.getLogger(__name__)

#: A record that was not handed over by then, though later ones were, will not be.
MISSED_FOR_S: Final = 15.0
#: Where Faust keeps the changelog offset inside the same RocksDB; no entry of the table.
_OFFSET_KEY: Final = b"__faust\0offset__"


def walk(table: Any, partition: int, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
    """Up to ``limit`` entries of a partition whose keys come after ``after``; fewer at its end."""
    entries = table.data._db_for_partition(partition).iter()  # noqa: SLF001  # see above
    entries.seek(after + b"\0" if after else b"")
    found: list[tuple[bytes, bytes]] = []
    while entries.valid() and len(found) < limit:
        if entries.key() != _OFFSET_KEY:
            found.append((entries.key(), entries.value()))
        entries.next()
    return found


def records_to_recover(app: Any) -> int:
    """Changelog records that the tables of the assigned partitions are still behind."""
    return int(app.tables.recovery.active_remaining_total())


@contextmanager
def as_current(event: EventT[Any]) -> Iterator[None]:
    """Table reads and writes inside go to the partition this event came from."""
    token = _current_event.set(weakref.ref(event))
    try:
        yield
    finally:
        _current_event.reset(token)


class StrictConsumer(Consumer):
    """Commits what was acknowledged without a gap, and nothing after one.

    Our sources keep every record and hold no markers of transactions: their offsets have no gaps.
    What Faust has dropped comes again after a restart only, so the process ends for one.
    """

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """See above: a gap is a record that has yet to come again."""

    def _new_offset(self, tp: TP) -> int | None:
        if tp not in self.assignment():
            # a batch that was under way when the partition went to another: nobody's to commit
            for left in (self._acked, self._acked_index, self._missed_since):
                left.pop(tp, None)
            return None
        known = self._committed_offset[tp]
        committed = known or 0
        acked, end = self._acked_index[tp], committed
        while end in acked:
            end += 1
        # forgotten once it is committed, not before: a commit may be refused in a rebalance
        acked.difference_update([offset for offset in acked if offset < committed])
        self._acked[tp].clear()  # Faust's own list of the same offsets
        if end > committed or not acked or known is None:
            self._missed_since.pop(tp, None)
        elif monotonic() - self._missed_since.setdefault(tp, monotonic()) > MISSED_FOR_S:
            log.error("record.missed %s offset=%d: the worker starts anew", tp, end)
            start_anew()
        return end if end > committed else None

    @cached_property
    def _missed_since(self) -> dict[TP, float]:
        """Since when a partition's next record is missing, though later ones were acknowledged."""
        return {}

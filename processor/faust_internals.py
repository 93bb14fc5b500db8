"""Everything that reaches inside Faust, with its reason. faust-streaming is pinned because of it.

* ``noack_take`` is the only iteration that lets us acknowledge after our own commit, but it runs
  our code with no current event, and a table refuses to be used without one. ``as_current``
  sets it.
* A table can only be walked as a whole, which for millions of keys stops the stream. ``walk``
  reads a few entries of one partition's RocksDB from where the last walk ended.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from faust.streams import _current_event
from faust.types import EventT

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


@contextmanager
def as_current(event: EventT[Any]) -> Iterator[None]:
    """Table reads and writes inside go to the partition this event came from."""
    token = _current_event.set(weakref.ref(event))
    try:
        yield
    finally:
        _current_event.reset(token)

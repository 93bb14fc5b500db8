"""A Faust table's partitions, read and written a batch at a time.

Faust reads and writes one key after the other, each under the event that is current, each with a
change record of its own that passes through a queue, a future and a callback; the position in the
changelog is stored after each. That was more than a third of the worker's time. Here a batch's
changes of one partition are one write to RocksDB and one batch of change records, and its position
is stored once, when the brokers have all of them. What is on the disk and in the changelog is what
Faust puts there, and Faust's own recovery reads it.

A table can also be walked only as a whole by Faust, which for millions of keys stops the stream.
``walk`` reads a few entries of one partition from where the last walk ended.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import faust
from faust.types import TP
from rocksdict import WriteBatch

from messaging.batch_send import KeyedRecord, send_in_batches
from ports.errors import TableFilesError
from runtime.logs import get_logger

log = get_logger(__name__)

#: Where Faust keeps the changelog offset inside the same RocksDB; no entry of the table.
_OFFSET_KEY: Final = b"__faust\0offset__"
#: How RocksDB's words begin that are about its files.
_ABOUT_FILES: Final = ("IO error", "Corruption")


class PartitionedTable:
    """The partitions of a table of bytes; see ``ports.stores.TableEntries``."""

    def __init__(self, app: faust.App, table: Any) -> None:
        self._app = app
        self._table = table

    def get(self, partition: int, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """See ``TableEntries.get``."""
        with about_files():
            found = self._database(partition).get(list(keys))
        return {key: value for key, value in zip(keys, found, strict=True) if value is not None}

    def walk(self, partition: int, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """See ``TableEntries.walk``."""
        found: list[tuple[bytes, bytes]] = []
        with about_files():
            entries = self._database(partition).iter()
            entries.seek(after + b"\0" if after else b"")
            while entries.valid() and len(found) < limit:
                if entries.key() != _OFFSET_KEY:
                    found.append((entries.key(), entries.value()))
                entries.next()
        return found

    async def put(self, partition: int, changes: Mapping[bytes, bytes | None]) -> None:
        """See ``TableEntries.put``."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        with about_files():
            self._database(partition).write(batch)
        producer = (await self._app.maybe_start_producer())._producer  # noqa: SLF001  # see above
        topic = self._table.changelog_topic.get_topic_name()
        records = (KeyedRecord(key, value) for key, value in changes.items())
        for count, sending in await send_in_batches(producer, topic, partition, records):
            sending.add_done_callback(partial(self._sent, count))

    def _sent(self, count: int, sending: asyncio.Future[Any]) -> None:
        """Every change up to these is in the changelog; recovery begins behind them."""
        if sending.cancelled():
            return
        if sending.exception() is not None:
            # what the next owner of the partition does not know, Postgres does
            log.warning("table.changelog_failed", records=count, error=repr(sending.exception()))
            return
        first = sending.result()
        at = TP(first.topic, first.partition)
        self._table.data.set_persisted_offset(at, first.offset + count - 1)

    def _database(self, partition: int) -> Any:
        return self._table.data._db_for_partition(partition)  # noqa: SLF001  # see above


@contextmanager
def about_files() -> Iterator[None]:
    """Raises TableFilesError where RocksDB says that its files are the trouble.

    It refuses every later write then, until it is opened again.
    """
    try:
        yield
    except Exception as error:  # rocksdict has no class of its own for errors
        if str(error).startswith(_ABOUT_FILES):
            raise TableFilesError(str(error)) from error
        raise


def records_to_recover(app: Any) -> int:
    """Changelog records that the tables of the assigned partitions are still behind."""
    return int(app.tables.recovery.active_remaining_total())

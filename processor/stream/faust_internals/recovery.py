"""Takes a changelog's records into their table, a fetch at a time.

Faust passes each record through an event, a queue and a buffer, which for a table of a million
entries takes minutes. Here all that a fetch brought of a partition is one write to RocksDB,
together with how far the table then is. Faust is handed one record in place of all of them, which
deletes a key that no table has: by its offset Faust notices how far the table is.
"""

from collections.abc import Sequence
from typing import Any, Final

from aiokafka.structs import ConsumerRecord
from faust.types import TP
from rocksdict import WriteBatch

from messaging.kafka_internals.records import OffsetGap
from ports.records import Unreadable
from processor.stream.faust_internals.table import about_files
from runtime.logs import get_logger

log = get_logger(__name__)

#: A key that no table has.
NO_KEY: Final = b"\0unreadable"


def take_in(app: Any, tp: TP, records: Sequence[Any]) -> list[Any]:
    """Writes a changelog's records to its table. Returns what is left to hand on to Faust.

    What is no entry of a table is left out. A recovery ends with the changelog's last offset, so
    that is handed on whatever stands there.

    Raises TableFilesError.
    """
    batch, end = WriteBatch(raw_mode=True), -1
    for record in records:
        if type(record) is OffsetGap:
            end = record.stop - 1 if record.is_last else end
            continue
        end = record.offset
        if record.key is None or isinstance(record.value, Unreadable):
            where = {"topic": tp.topic, "partition": tp.partition, "offset": record.offset}
            log.error("table.not_an_entry", **where, note="left out")
        elif record.value is None:
            batch.delete(record.key)
        else:
            batch.put(record.key, record.value)
    if end < 0:
        return []
    store = app.tables._changelogs[tp.topic].data  # noqa: SLF001  # Faust has no public access
    batch.put(store.offset_key, str(end).encode())
    with about_files():
        store._db_for_partition(tp.partition).write(batch)  # noqa: SLF001  # as above
    return [_nothing(tp, end)]


def _nothing(tp: TP, offset: int) -> Any:
    return ConsumerRecord(
        tp.topic, tp.partition, offset, -1, 0, NO_KEY, None, None, len(NO_KEY), -1, ()
    )

"""``python -m bench.load.dedup_table``: fills a worker's dedup table on disk, without Kafka.

The partitions are Faust's own, in the worker's folder and with its options. They contain the
changelog's end offset, so the worker does not read the changelog.
"""

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from faust.types import TP
from rocksdict import WriteBatch

from messaging.topic_admin import CHANGELOG
from processor.stream.app import ROCKSDB_OPTIONS, create_app
from processor.stream.dedup_table import DedupEntry, short_id
from schemas.settings import KafkaSettings, StreamSettings, load

#: The first event is the create command; the others have no effect.
EVENTS_PER_PAYMENT: Final = 5
WRITTEN_AT_ONCE: Final = 5_000
_NOT_IN_IDS: Final = str.maketrans("0189", "ghij")  # IDs do not contain these digits


def payment_id(number: int) -> str:
    """The payment's ID, as ``stored.PAYMENT_IDS`` computes it."""
    digest = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()
    return f"pay_{digest[:30].translate(_NOT_IN_IDS)}"


def entries(payments: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of the dedup table, in no order."""
    now = int(time.time())
    for number in range(payments):
        id_ = payment_id(number)
        event_ids = {short_id(f"{id_}:{event}"): (0, number) for event in range(EVENTS_PER_PAYMENT)}
        yield id_.encode(), msgspec.msgpack.encode(DedupEntry(now, event_ids))


def write(payments: int, ends: Sequence[int]) -> None:
    """Fills the partitions; ``ends`` has each one's end offset of the changelog."""
    kafka = load(KafkaSettings)
    app = create_app(kafka, load(StreamSettings))
    table: Any = app.Table("dedup", key_type=bytes, value_type=bytes, options=ROCKSDB_OPTIONS).data
    numbers = range(kafka.partitions)
    databases = [table._db_for_partition(number) for number in numbers]  # noqa: SLF001  # Faust's own
    batches = [WriteBatch(raw_mode=True) for _ in numbers]
    for index, (key, value) in enumerate(entries(payments)):
        number = index % kafka.partitions
        batches[number].put(key, value)
        if batches[number].len() >= WRITTEN_AT_ONCE:
            databases[number].write(batches[number])
            batches[number] = WriteBatch(raw_mode=True)
    for number in numbers:
        databases[number].write(batches[number])
        if ends[number]:
            table.set_persisted_offset(TP(CHANGELOG.name, number), ends[number] - 1)
        databases[number].close()


def main() -> int:
    """Fills the table in the folder that the worker's settings name."""
    parser = argparse.ArgumentParser(prog="bench.load.dedup_table", description=__doc__)
    parser.add_argument("payments", type=int)
    parser.add_argument("ends", type=int, nargs="+")
    options = parser.parse_args()
    write(options.payments, options.ends)
    return 0


if __name__ == "__main__":
    sys.exit(main())

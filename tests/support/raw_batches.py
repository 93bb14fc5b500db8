"""Builds and publishes batches of records that no producer would make."""

import asyncio
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from aiokafka import codec as codecs
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NotLeaderForPartitionError, for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition

#: Key, value and headers of a record.
Made = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
#: A codec's number, and what it does.
CODECS: Final[dict[str, tuple[int, Callable[[bytes], bytes]]]] = {
    "none": (0, bytes),
    "gzip": (1, codecs.gzip_encode),
    "snappy": (2, codecs.snappy_encode),
    "lz4": (3, codecs.lz4_encode),
    "zstd": (4, codecs.zstd_encode),
}
#: Positions in a batch: its length, checksum, attributes and records.
_LENGTH_AT: Final = 8
_CRC_AT: Final = 17
_ATTRIBUTES_AT: Final = 21
_RECORDS_AT: Final = 61
#: The first byte that the length counts.
_COUNTED_AT: Final = 12
_TRIES: Final = 100
_PAUSE_S: Final = 0.1


def batch(
    records: Iterable[Made],
    codec: str = "none",
    timestamp: int = 1_700_000_000_000,
    change: Callable[[bytearray], None] | None = None,
) -> bytes:
    """A batch of records.

    Args:
        records: what is in it.
        codec: how they are compressed.
        timestamp: of each of them, ms since the epoch.
        change: alters the records' bytes before compression and checksum.
    """
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 30)
    for offset, (key, value, headers) in enumerate(records):
        builder.append(offset, timestamp, key, value, list(headers))
    made = bytearray(builder.build())
    body = made[_RECORDS_AT:]
    if change is not None:
        change(body)
    number, encode = CODECS[codec]
    made[_RECORDS_AT:] = encode(bytes(body))
    struct.pack_into(">i", made, _LENGTH_AT, len(made) - _COUNTED_AT)
    struct.pack_into(">h", made, _ATTRIBUTES_AT, number)
    struct.pack_into(">I", made, _CRC_AT, calc_crc32c(bytes(made[_ATTRIBUTES_AT:])))
    return bytes(made)


def replaced(old: bytes, new: bytes) -> Callable[[bytearray], None]:
    """A change that replaces bytes by as many others."""

    def change(body: bytearray) -> None:
        at = body.index(old)
        body[at : at + len(old)] = new

    return change


async def publish(client: AIOKafkaClient, topic: str, partition: int, made: bytes) -> int:
    """Publishes a batch and returns its first offset. Raises the broker's error."""
    client.add_topic(topic)
    for _ in range(_TRIES):
        await client.force_metadata_update()
        node: Any = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        if node not in {None, -1}:
            request = ProduceRequest(None, -1, 10_000, [(topic, [(partition, made)])])
            response = await client.send(node, request)
            ((_, ((_, code, offset, *_),)),) = response.topics
            if code == 0:
                return int(offset)
            if code != NotLeaderForPartitionError.errno:
                raise for_code(code)
        await asyncio.sleep(_PAUSE_S)  # a topic that was just created has no leader yet
    raise NotLeaderForPartitionError

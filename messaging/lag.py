"""Measures a consumer group's lag: records that it has not acknowledged yet."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from messaging.lifetime import start_client
from ports.failures import BROKERS_UNAVAILABLE
from runtime.logs import get_logger
from runtime.tasks import is_cancelled
from schemas.topics import PROCESSOR_SOURCES, fetching

log = get_logger(__name__)

Partition = tuple[str, int]

#: Timeouts of one measurement, and of closing one of its connections, in seconds.
TIMEOUT_S: Final = 15.0
CLOSE_TIMEOUT_S: Final = 5.0


class GroupLag:
    """Measures one group's lag. Each measurement opens and closes its own connections."""

    def __init__(self, bootstrap: str, group: str) -> None:
        self._bootstrap = bootstrap
        self._group = group

    async def __call__(self, partitions: Collection[Partition]) -> int:
        """Returns the total lag of these partitions. Raises KafkaError, TimeoutError."""
        return sum((await self._measure(partitions=partitions)).values())

    async def by_partition(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """Returns the lag of each partition of these topics. Raises KafkaError, TimeoutError."""
        return await self._measure(topics=topics)

    async def _measure(
        self, partitions: Collection[Partition] = (), topics: Iterable[str] = ()
    ) -> dict[Partition, int]:
        async with AsyncExitStack() as stack, asyncio.timeout(TIMEOUT_S):
            admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
            stack.push_async_callback(_close, admin.close)
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap, **fetching(*PROCESSOR_SOURCES)
            )
            stack.push_async_callback(_close, consumer.stop)
            await start_client(admin, TIMEOUT_S)
            await start_client(consumer, TIMEOUT_S)
            wanted = [TopicPartition(*partition) for partition in partitions]
            for described in await admin.describe_topics(list(topics)) if topics else ():
                wanted += [
                    TopicPartition(described["topic"], each["partition"])
                    for each in described["partitions"]
                ]
            if not wanted:
                return {}
            done = await admin.list_consumer_group_offsets(self._group, partitions=wanted)
            ends = await consumer.end_offsets(wanted)
        return {
            (at.topic, at.partition): max(0, end - _acknowledged(done.get(at)))
            for at, end in ends.items()
        }


async def acknowledged(
    bootstrap: str, group: str, partitions: Iterable[TopicPartition]
) -> Mapping[TopicPartition, int]:
    """Returns the group's committed offsets; 0 where it has none. Raises KafkaError, TimeoutError.

    Opens and closes a connection of its own.
    """
    wanted = list(partitions)
    async with AsyncExitStack() as stack, asyncio.timeout(TIMEOUT_S):
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        stack.push_async_callback(_close, admin.close)
        await start_client(admin, TIMEOUT_S)
        done = await admin.list_consumer_group_offsets(group, partitions=wanted)
    return {each: _acknowledged(done.get(each)) for each in wanted}


def _acknowledged(done: Any) -> int:
    """Returns the group's committed offset; 0 if it has none."""
    return 0 if done is None else max(0, int(done.offset))


async def _close(close: Any) -> None:
    """Closes a client, started or not, within ``CLOSE_TIMEOUT_S`` seconds.

    aiokafka may raise the CancelledError of one of its own tasks; that does not cancel us.
    """
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await close()
    except BROKERS_UNAVAILABLE as error:
        log.warning("client.close_failed", error=repr(error))
    except asyncio.CancelledError:
        if is_cancelled():
            raise
        log.warning("client.close_failed", note="the client cancelled itself")

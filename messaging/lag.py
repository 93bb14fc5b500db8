"""Records that a consumer group has not acknowledged yet, as the brokers know it."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from ports.failures import BROKERS_AWAY
from runtime.logs import get_logger
from runtime.tasks import is_cancelled
from schemas.topics import PROCESSOR_SOURCES, fetching

log = get_logger(__name__)

Partition = tuple[str, int]

#: One measurement takes no longer than that, in seconds; so does closing its connections.
WITHIN_S: Final = 15.0
CLOSE_WITHIN_S: Final = 5.0


class GroupLag:
    """Measures one group's lag, each time with connections of its own: nothing is kept open."""

    def __init__(self, bootstrap: str, group: str) -> None:
        self._bootstrap = bootstrap
        self._group = group

    async def __call__(self, partitions: Collection[Partition]) -> int:
        """Of these partitions together. Raises KafkaError, TimeoutError, also for none of them."""
        return sum((await self._measured(partitions=partitions)).values())

    async def by_partition(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """Of each partition of these topics. Raises KafkaError, TimeoutError."""
        return await self._measured(topics=topics)

    async def _measured(
        self, partitions: Collection[Partition] = (), topics: Iterable[str] = ()
    ) -> dict[Partition, int]:
        async with AsyncExitStack() as opened, asyncio.timeout(WITHIN_S):
            admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
            opened.push_async_callback(_close, admin.close)
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap, **fetching(*PROCESSOR_SOURCES)
            )
            opened.push_async_callback(_close, consumer.stop)
            await admin.start()
            await consumer.start()
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


def _acknowledged(done: Any) -> int:
    """The offset up to which a group is done; 0 where it has acknowledged nothing."""
    return 0 if done is None else max(0, int(done.offset))


async def _close(close: Any) -> None:
    """Closes a client, started or not; brokers that don't answer keep nobody waiting.

    A client may let the cancellation of a task of its own out; that is not ours.
    """
    try:
        async with asyncio.timeout(CLOSE_WITHIN_S):
            await close()
    except BROKERS_AWAY as error:
        log.warning("lag.not_closed", error=repr(error))
    except asyncio.CancelledError:
        if is_cancelled():
            raise
        log.warning("lag.not_closed", note="the client was cancelled by itself")

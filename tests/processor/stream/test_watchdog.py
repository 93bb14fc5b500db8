"""A worker that has records and does nothing is noticed; one that works or rests is not."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError

from messaging.lag import GroupLag
from processor.stream import watchdog
from processor.stream.watchdog import FAILURES_MAX, LOOKS, Activity, Look, Patience, guard, watch
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

STILL = Look(3, is_busy=False, progress=(7, 0))


def over(*looks: tuple[float, Look]) -> list[bool]:
    """What patience of ten seconds says to each."""
    patience = Patience(10.0)
    return [patience.is_over(look, at) for at, look in looks]


def test_records_that_wait_while_nothing_moves_end_its_patience() -> None:
    """From the first look that saw it so, not a moment sooner."""
    assert over((0, STILL), (9.9, STILL), (10.0, STILL)) == [False, False, True]


@pytest.mark.parametrize(
    "moves",
    [
        Look(0, is_busy=False, progress=(7, 0)),
        Look(3, is_busy=True, progress=(7, 0)),
        Look(3, is_busy=False, progress=(8, 0)),
        Look(3, is_busy=False, progress=(7, 5)),
    ],
    ids=["nothing waits", "a batch is under way", "a batch was done", "the table is recovered"],
)
def test_whatever_moves_is_waited_for(moves: Look) -> None:
    """The time starts again."""
    looks = [(0.0, STILL), (9.0, moves), (10.0, STILL), (11.0, STILL)]
    assert over(*looks) == [False] * 4


async def test_it_waits_while_it_is_blind() -> None:
    """Without the brokers nobody can process anything; then it looks on, and ends."""
    seen: list[Look | None] = [STILL, None, *[STILL] * 10]

    async def look() -> Look:
        found = seen.pop(0)
        if found is None:
            raise KafkaConnectionError("away")
        return found

    await watch(0.04, look)
    assert 2 <= len(seen) <= 6, "it ends some looks after it was blind, and not at once"


async def test_batches_are_noted_while_they_are_under_way() -> None:
    """Two may be at once; idle is who has none."""
    activity = Activity()

    async def two() -> AsyncIterator[str]:
        yield "one"
        yield "two"

    batches = activity.noting(two())
    assert not activity.is_busy
    assert [await anext(batches), await anext(batches)] == ["one", "two"]
    activity.done()
    assert (activity.batches, activity.is_busy) == (1, True)
    activity.done()
    assert (activity.batches, activity.is_busy) == (2, False)


async def test_the_lag_is_what_a_group_has_not_acknowledged(kafka_bootstrap: str) -> None:
    """Of a partition of which it has acknowledged nothing: everything."""
    topic, group = "watchdog-lag", "watchdog-group"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
        for partition in (0, 1, 1, 1):
            await producer.send_and_wait(topic, b"value", partition=partition)
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka_bootstrap, group_id=group, enable_auto_commit=False
    ) as consumer:
        consumer.assign([TopicPartition(topic, 1)])
        await consumer.commit({TopicPartition(topic, 1): 2})
    lag = GroupLag(kafka_bootstrap, group)

    async def measured() -> bool:
        with suppress(KafkaError):  # brokers that just started have no coordinator yet
            return await lag([(topic, 0)]) == 1
        return False

    await until(measured, 30)
    assert [await lag([(topic, n)]) for n in range(2)] == [1, 1]
    assert await lag([(topic, 0), (topic, 1)]) == 2
    assert await lag([]) == 0
    assert await lag.by_partition([topic]) == {(topic, 0): 1, (topic, 1): 1}


def test_a_rebalance_that_never_ends_ends_its_patience() -> None:
    """Nothing may wait, as far as a worker without partitions knows: it is noticed all the same."""
    between = Look(0, is_busy=False, progress=(7, 0), is_rebalancing=True)
    assert over((0, between), (9.9, between), (10.0, between)) == [False, False, True]
    busy = Look(0, is_busy=True, progress=(7, 0), is_rebalancing=True)
    assert over((0, between), (9.0, busy), (11.0, between)) == [False, False, False]


@pytest.mark.parametrize(
    "error", [KeyError("planted"), MemoryError(), RuntimeError("changed size")]
)
async def test_what_nobody_foresaw_does_not_end_it_in_silence(error: Exception) -> None:
    """It looks on; where it fails again and again, the worker is ended: nobody would watch it."""
    looks: list[int] = []

    async def once() -> Look:
        looks.append(1)
        if len(looks) == 1:
            raise error
        return STILL

    await watch(0.02, once)
    assert len(looks) >= LOOKS

    async def always() -> Look:
        looks.append(1)
        raise error

    looks.clear()
    await watch(0.02, always)
    assert len(looks) == FAILURES_MAX


def test_a_watchdog_that_ends_ends_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loudly, whatever it was that ended it."""
    ended = threading.Event()
    monkeypatch.setattr(watchdog, "restart_process", ended.set)
    monkeypatch.setattr(watchdog, "watch", lambda *_: 1 / 0)

    async def lag(_partitions: object) -> int:
        return 0

    guard(1.0, Activity(), lag, lambda: None)
    assert ended.wait(5.0)


async def test_a_lag_that_cannot_be_measured_leaves_no_connection_open() -> None:
    """Brokers that are away: an error within its time, and no client is left behind."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        before = len(asyncio.all_tasks())
        measure = GroupLag(f"127.0.0.1:{silent.getsockname()[1]}", "group")
        for _ in range(3):
            with pytest.raises((KafkaError, TimeoutError)):
                async with asyncio.timeout(0.3):
                    await measure([("topic", 0)])
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == before

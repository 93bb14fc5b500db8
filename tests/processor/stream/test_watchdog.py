"""A worker that has records but makes no progress is restarted; a busy or idle one is not."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError

from messaging.lag import GroupLag
from processor.stream import watchdog
from processor.stream.watchdog import (
    FAILURES_MAX,
    Activity,
    Observation,
    StallDetector,
    guard,
    watch,
)
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

STILL = Observation(3, is_busy=False, progress=(7, 0))


def stalls(*observed: tuple[float, Observation]) -> list[bool]:
    """Returns for each observation whether ten seconds without progress are over."""
    detector = StallDetector(10.0)
    return [detector.is_stalled(observation, at) for at, observation in observed]


def test_waiting_records_without_progress_are_a_stall() -> None:
    """The time counts from the first observation without progress."""
    assert stalls((0, STILL), (9.9, STILL), (10.0, STILL)) == [False, False, True]


@pytest.mark.parametrize(
    "moves",
    [
        Observation(0, is_busy=False, progress=(7, 0)),
        Observation(3, is_busy=True, progress=(7, 0)),
        Observation(3, is_busy=False, progress=(8, 0)),
        Observation(3, is_busy=False, progress=(7, 5)),
    ],
    ids=["nothing waits", "a batch is in flight", "a batch is done", "the table is recovered"],
)
def test_any_progress_restarts_the_timeout(moves: Observation) -> None:
    """The stall counts only after another full timeout."""
    observations = [(0.0, STILL), (9.0, moves), (10.0, STILL), (11.0, STILL)]
    assert stalls(*observations) == [False] * 4


async def test_unreachable_brokers_restart_the_timeout() -> None:
    """Without the brokers no worker can make progress. Afterwards the stall is detected."""
    observations: list[Observation | None] = [STILL, None, *[STILL] * 10]

    async def observe() -> Observation:
        found = observations.pop(0)
        if found is None:
            raise KafkaConnectionError("unreachable")
        return found

    await watch(0.04, observe)
    assert 2 <= len(observations) <= 6, (
        "it ends some observations after the outage, and not at once"
    )


async def test_batches_in_flight_are_counted() -> None:
    """Two may be in flight at once. A worker without any is idle."""
    activity = Activity()

    async def two() -> AsyncIterator[str]:
        yield "one"
        yield "two"

    batches = activity.counted(two())
    assert not activity.is_busy
    assert [await anext(batches), await anext(batches)] == ["one", "two"]
    activity.done()
    assert (activity.batches, activity.is_busy) == (1, True)
    activity.done()
    assert (activity.batches, activity.is_busy) == (2, False)


async def test_the_lag_is_what_a_group_has_not_acknowledged(kafka_bootstrap: str) -> None:
    """Of a partition without an acknowledged record, it is every record."""
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


def test_a_rebalance_that_never_ends_is_a_stall() -> None:
    """A worker without partitions knows of no waiting records, so the rebalance counts."""
    between = Observation(0, is_busy=False, progress=(7, 0), is_rebalancing=True)
    assert stalls((0, between), (9.9, between), (10.0, between)) == [False, False, True]
    busy = Observation(0, is_busy=True, progress=(7, 0), is_rebalancing=True)
    assert stalls((0, between), (9.0, busy), (11.0, between)) == [False, False, False]


@pytest.mark.parametrize(
    "error", [KeyError("planted"), MemoryError(), RuntimeError("changed size")]
)
async def test_an_unforeseen_error_does_not_end_the_watchdog_silently(error: Exception) -> None:
    """It continues. After too many errors in a row the worker restarts: it must be watched."""
    observations: list[int] = []

    async def once() -> Observation:
        observations.append(1)
        if len(observations) == 1:
            raise error
        return STILL

    await watch(0.02, once)
    assert len(observations) > 2, "a stall takes two observations after the error"

    async def always() -> Observation:
        observations.append(1)
        raise error

    observations.clear()
    await watch(0.02, always)
    assert len(observations) == FAILURES_MAX


def test_a_watchdog_that_fails_restarts_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its error was."""
    ended = threading.Event()
    monkeypatch.setattr(watchdog, "restart_process", ended.set)
    monkeypatch.setattr(watchdog, "watch", lambda *_: 1 / 0)

    async def lag(_partitions: object) -> int:
        return 0

    guard(1.0, Activity(), lag, lambda: None)
    assert ended.wait(5.0)


async def test_a_lag_that_cannot_be_measured_leaves_no_connection_open() -> None:
    """Brokers that do not respond cause an error in time, and leave no client behind."""
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


async def test_errors_that_are_not_in_a_row_do_not_restart_the_worker() -> None:
    """Each observation between them counts from the beginning."""
    busy = Observation(3, is_busy=True, progress=(7, 0))
    script: list[Observation | None] = [None, busy] * (FAILURES_MAX + 2)

    async def observe() -> Observation:
        if not script:
            raise asyncio.CancelledError  # ends the test
        found = script.pop(0)
        if found is None:
            raise KeyError("planted")
        return found

    with pytest.raises(asyncio.CancelledError):
        await watch(0.004, observe)


def test_each_answer_of_the_brokers_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is ready only while they answer."""
    answered, ended = threading.Event(), threading.Event()
    seen: list[Observation] = []

    async def once(_timeout_s: float, observe: Callable[[], Awaitable[Observation]]) -> None:
        seen.append(await observe())

    async def lag(_partitions: object) -> int:
        return 3

    monkeypatch.setattr(watchdog, "restart_process", ended.set)
    monkeypatch.setattr(watchdog, "watch", once)
    guard(1.0, Activity(batches=7), lag, answered.set)
    assert ended.wait(5.0)
    assert answered.is_set()
    assert seen == [Observation(3, is_busy=False, progress=(7, 0), is_rebalancing=True)]

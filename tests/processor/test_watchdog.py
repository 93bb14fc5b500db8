"""A worker that has records and does nothing is noticed; one that works or rests is not."""

from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError

from processor.watchdog import Activity, GroupLag, Look, Patience, watch

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
    """The time begins anew."""
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
    assert [await lag([(topic, n)]) for n in range(2)] == [1, 1]
    assert await lag([(topic, 0), (topic, 1)]) == 2

"""Questions for ends that come together are asked as one, and none gets an older answer."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError

from messaging.end_offsets import EndOffsets

pytestmark = pytest.mark.anyio

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


class Brokers:
    """Stands for a consumer: each question is answered when a test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[set[TopicPartition], asyncio.Future[int]]] = []

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """See ``AIOKafkaConsumer.end_offsets``."""
        answer = asyncio.get_running_loop().create_future()
        self.asked.append((set(partitions), answer))
        return dict.fromkeys(partitions, await answer)


async def settled() -> None:
    """Lets every task go on as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_later_question_does_not_get_the_answer_of_an_earlier_one() -> None:
    """That may have been given before what it asks about."""
    brokers = Brokers()
    ends = EndOffsets(brokers)
    first = asyncio.create_task(ends.of([A]))
    await settled()
    later = [asyncio.create_task(ends.of([each])) for each in (A, B, A)]
    await settled()
    assert [wanted for wanted, _ in brokers.asked] == [{A}]
    brokers.asked[0][1].set_result(5)
    assert await first == {A: 5}
    await settled()
    assert [wanted for wanted, _ in brokers.asked] == [{A}, {A, B}]
    brokers.asked[1][1].set_result(7)
    assert await asyncio.gather(*later) == [{A: 7}, {B: 7}, {A: 7}]


async def test_one_that_stops_waiting_takes_nothing_from_the_others() -> None:
    """Each has a timeout of its own."""
    brokers = Brokers()
    ends = EndOffsets(brokers)
    first, second = (asyncio.create_task(ends.of([A])) for _ in range(2))
    await settled()
    first.cancel()
    brokers.asked[0][1].set_result(5)
    assert await second == {A: 5}


async def test_a_failure_is_that_of_all_who_asked_and_of_no_one_later() -> None:
    """The next question is another one."""
    brokers = Brokers()
    ends = EndOffsets(brokers)
    asked = [asyncio.create_task(ends.of([A])) for _ in range(2)]
    await settled()
    brokers.asked[0][1].set_exception(KafkaTimeoutError())
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in found] == [KafkaTimeoutError] * 2
    again = asyncio.create_task(ends.of([A]))
    await settled()
    brokers.asked[1][1].set_result(6)
    assert await again == {A: 6}


async def test_a_question_that_is_under_way_when_it_is_closed_fails() -> None:
    """Nobody is left waiting, and nobody is cancelled."""
    ends = EndOffsets(Brokers())
    asked = [asyncio.create_task(ends.of([A]))]
    await settled()
    asked.append(asyncio.create_task(ends.of([A])))
    await settled()
    await ends.close()
    for each in asked:
        with pytest.raises(KafkaError) as error:
            await each
        assert type(error.value) is KafkaConnectionError

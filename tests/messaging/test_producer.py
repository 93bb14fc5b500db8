"""One producer for many tasks, on a real broker: paused, restarted, refusing, slow."""

import asyncio
import signal
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import NotEnoughReplicasError

from messaging import instances as parts
from messaging.in_flight import InFlightLimits
from messaging.instances import STOP_DEADLINE_S, Instance, ProducerConfig
from messaging.lifetime import start_client
from messaging.producer import Producer, no_check
from ports.errors import NotDeliveredError, RecordTooLargeError, TopicsNotReadyError
from ports.producer_record import ProducerRecord
from schemas.topics import DEAD_LETTERS, PROVIDER_RESULTS, PROVIDER_WEBHOOKS
from tests.messaging.leftovers import nothing_left
from tests.messaging.servers import proxy_of_one_response, silent_server
from tests.own_broker import BACK_WITHIN_S, OwnBroker
from tests.support.log_lines import lines
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

LONG_S, SHORT_S = 30.0, 0.5


def record(topic: str = PROVIDER_RESULTS, size: int = 10) -> ProducerRecord:
    """A record under a key of its own."""
    return ProducerRecord(topic, uuid.uuid4().hex.encode(), b"x" * size, [("a", b"b")])


@asynccontextmanager
async def open_producer(target: ProducerConfig, **options: Any) -> AsyncIterator[Producer]:
    """Yields a producer and closes it. Nothing of it may be left."""
    async with nothing_left():
        producer = Producer(target, **options)
        try:
            yield producer
        finally:
            began = time.monotonic()
            await producer.close()
            assert time.monotonic() - began < STOP_DEADLINE_S + 1


@contextmanager
def paused(broker: OwnBroker) -> Iterator[None]:
    """The broker does not respond until the block ends."""
    broker.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        broker.signal(signal.SIGCONT)


def current(producer: Producer) -> Instance:
    """The instance in use."""
    found = producer._instances.current
    assert found is not None
    return found


async def works_again(producer: Producer, within_s: float = BACK_WITHIN_S) -> None:
    """Returns once a record is delivered."""

    async def delivered() -> bool:
        try:
            await producer.send([record()], 5.0)
        except NotDeliveredError:
            return False
        return True

    await until(delivered, within_s)


async def test_many_first_tasks_share_one_instance(
    target: ProducerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tasks wait until it has started."""
    opened: list[AIOKafkaProducer] = []
    start = start_client

    async def slowly(producer: AIOKafkaProducer, within_s: float) -> None:
        opened.append(producer)
        await asyncio.sleep(0.2)
        await start(producer, within_s)

    monkeypatch.setattr(parts, "start_client", slowly)
    async with open_producer(target) as producer:
        await asyncio.gather(*(producer.send([record()], LONG_S) for _ in range(50)))
    assert len(opened) == 1


async def test_a_slow_start_is_waited_for(broker: OwnBroker, target: ProducerConfig) -> None:
    """Tasks that began while the broker was paused are served once it responds."""
    async with open_producer(target) as producer:
        with paused(broker):
            sending = [asyncio.create_task(producer.send([record()], LONG_S)) for _ in range(20)]
            await asyncio.sleep(SHORT_S)
            assert not any(task.done() for task in sending)
        await asyncio.gather(*sending)


async def test_a_paused_broker_is_an_error_at_the_deadline_for_each_task(
    broker: OwnBroker, target: ProducerConfig
) -> None:
    """No task waits longer, and each gets the error. After the pause the producer recovers."""
    async with open_producer(target) as producer:
        await producer.send([record()], LONG_S)
        with paused(broker):
            began = time.monotonic()
            ends = await asyncio.gather(
                *(producer.send([record()], SHORT_S) for _ in range(30)), return_exceptions=True
            )
            assert time.monotonic() - began < SHORT_S + 1
            assert {type(end) for end in ends} == {NotDeliveredError}
        await works_again(producer)
        await asyncio.gather(*(producer.send([record()], LONG_S) for _ in range(30)))


def never_delivered(monkeypatch: pytest.MonkeyPatch, topic: str) -> None:
    """Records of this topic are accepted and never acknowledged."""
    send = AIOKafkaProducer.send

    async def slow(self: AIOKafkaProducer, to: str, *args: Any, **named: Any) -> Any:
        if to == topic:
            return asyncio.get_running_loop().create_future()
        return await send(self, to, *args, **named)

    monkeypatch.setattr(AIOKafkaProducer, "send", slow)


async def test_a_failing_send_gives_up_its_own_instance_only(
    target: ProducerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late failure of a former instance does not replace its successor."""
    never_delivered(monkeypatch, DEAD_LETTERS)
    async with open_producer(target) as producer:
        await producer.send([record()], LONG_S)
        first = current(producer)
        late = asyncio.create_task(producer.send([record(DEAD_LETTERS)], 1.0))
        await asyncio.sleep(0)
        producer._instances.replace(first, "another task's failure")
        await works_again(producer)
        second = current(producer)
        with pytest.raises(NotDeliveredError):
            await late
        assert current(producer) is second
        await producer.send([record()], LONG_S)


async def test_an_instance_beyond_repair_is_replaced(target: ProducerConfig) -> None:
    """The brokers refuse an idempotent producer's records once its sequence is wrong."""
    async with open_producer(target) as producer:
        broken = record()
        await producer.send([broken], LONG_S)
        first = current(producer)
        numbers = first.producer._txn_manager._sequence_numbers
        for partition in numbers:
            numbers[partition] += 7
        with pytest.raises(NotDeliveredError):
            await producer.send([broken], LONG_S)
        await producer.send([broken], LONG_S)
        assert current(producer) is not first


async def test_a_temporary_error_does_not_replace_the_producer(
    target: ProducerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too few replicas of one partition, for example: the instance itself works."""

    async def refused(*_: Any, **__: Any) -> Any:
        raise NotEnoughReplicasError

    async with open_producer(target) as producer:
        await producer.send([record()], LONG_S)
        instance = current(producer)
        with monkeypatch.context() as refusing:
            refusing.setattr(AIOKafkaProducer, "send", refused)
            with pytest.raises(NotDeliveredError):
                await producer.send([record()], LONG_S)
        assert current(producer) is instance
        await producer.send([record()], LONG_S)


async def test_a_slow_partition_does_not_replace_the_producer(
    target: ProducerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the late record fails while others are acknowledged."""
    never_delivered(monkeypatch, DEAD_LETTERS)
    async with open_producer(target) as producer:
        await producer.send([record()], LONG_S)
        instance = current(producer)
        late = asyncio.create_task(producer.send([record(DEAD_LETTERS)], SHORT_S))
        await asyncio.sleep(SHORT_S / 2)
        await producer.send([record()], LONG_S)
        with pytest.raises(NotDeliveredError):
            await late
        assert current(producer) is instance


async def test_a_killed_broker_is_found_again(broker: OwnBroker, target: ProducerConfig) -> None:
    """Its connections break, and the producer connects again."""
    async with open_producer(target) as producer:
        await producer.send([record()], LONG_S)
        broker.signal(signal.SIGKILL)
        with pytest.raises(NotDeliveredError):
            await producer.send([record()], SHORT_S)
        await broker.start()
        await works_again(producer)


@pytest.mark.parametrize("size", [10, 200_000])
async def test_closing_leaves_nothing_behind_even_if_the_broker_is_silent(
    broker: OwnBroker, target: ProducerConfig, size: int
) -> None:
    """Neither tasks nor sockets, even with bytes in a socket that nobody reads."""
    with ExitStack() as until_the_end:
        async with nothing_left():
            made = [Producer(target) for _ in range(15)]
            await asyncio.gather(*(producer.send([record()], LONG_S) for producer in made))
            until_the_end.enter_context(paused(broker))
            ends = await asyncio.gather(
                *(
                    producer.send([record(PROVIDER_WEBHOOKS, size) for _ in range(20)], SHORT_S)
                    for producer in made
                ),
                return_exceptions=True,
            )
            assert {type(end) for end in ends} == {NotDeliveredError}
            began = time.monotonic()
            await asyncio.gather(*(producer.close() for producer in made))
            assert time.monotonic() - began < STOP_DEADLINE_S + 2


async def test_brokers_that_refuse_are_an_error_at_the_deadline(target: ProducerConfig) -> None:
    """It has a reason. Nothing is left of the attempts."""
    nowhere = ProducerConfig("127.0.0.1:1", target.client_id, target.max_value_bytes)
    async with open_producer(nowhere) as producer:
        began = time.monotonic()
        with pytest.raises(NotDeliveredError, match="bootstrap") as caught:
            await producer.send([record()], SHORT_S)
        assert not caught.value.sent
        assert time.monotonic() - began < SHORT_S + 0.5
        with pytest.raises(NotDeliveredError):
            await producer.publish(record(), LONG_S)


async def test_a_server_that_accepts_and_is_silent_is_given_up(target: ProducerConfig) -> None:
    """A waiting task gets an error at the deadline, and the attempt leaves no socket."""
    async with (
        silent_server() as address,
        open_producer(
            ProducerConfig(address, target.client_id, target.max_value_bytes)
        ) as producer,
    ):
        with pytest.raises(NotDeliveredError, match="not connected yet"):
            await producer.send([record()], SHORT_S)


async def test_a_broker_that_falls_silent_while_connecting_leaves_no_socket(
    broker: OwnBroker, target: ProducerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it has the metadata, only aiokafka's own code can close this connection."""
    monkeypatch.setattr(parts, "CONNECT_DEADLINE_S", 0.2)
    async with (
        proxy_of_one_response(broker.bootstrap) as address,
        open_producer(
            ProducerConfig(address, target.client_id, target.max_value_bytes)
        ) as producer,
    ):
        with pytest.raises(NotDeliveredError, match=r"within 0\.2 s"):
            await producer.send([record()], 1.0)


async def test_a_closed_producer_stays_closed(broker: OwnBroker, target: ProducerConfig) -> None:
    """Tasks that wait for a connection get an error, and no later task opens it again."""
    async with open_producer(target) as producer:
        with paused(broker):
            waiting = asyncio.create_task(producer.send([record()], LONG_S))
            await asyncio.sleep(0.1)
            await producer.close()
            with pytest.raises(NotDeliveredError, match="closed"):
                await waiting
        with pytest.raises(NotDeliveredError, match="closed"):
            await producer.send([record()], LONG_S)
        await producer.close()


async def test_more_records_than_the_limit_are_all_sent(target: ProducerConfig) -> None:
    """Records wait for room within the deadline, and all of them arrive."""
    async with open_producer(target, limits=InFlightLimits(3, 50_000)) as producer:
        await producer.send([record(size=20_000) for _ in range(20)], LONG_S)
        assert producer._limiter._records == producer._limiter._bytes == 0


async def test_room_is_released_after_any_outcome(
    broker: OwnBroker, target: ProducerConfig
) -> None:
    """After errors and timeouts, as many records may be in flight as before."""
    async with open_producer(target, limits=InFlightLimits(100, 1 << 30)) as producer:
        with pytest.raises(RecordTooLargeError):
            await producer.send([record(), record(size=2 << 20), record()], LONG_S)
        with pytest.raises(RecordTooLargeError):
            await producer.publish(record(size=2 << 20), LONG_S)
        with paused(broker), pytest.raises(NotDeliveredError):
            await producer.send([record() for _ in range(100)], SHORT_S)
        await works_again(producer)
        assert producer._limiter._records == producer._limiter._bytes == 0


async def test_an_unforeseen_error_while_connecting_is_tried_again(
    target: ProducerConfig, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged once, and a later attempt succeeds."""
    errors: list[Exception] = [KeyError("unforeseen")] * 2 + [TopicsNotReadyError("no topic")]

    async def check(opened: AIOKafkaProducer) -> None:
        if errors:
            raise errors.pop(0)
        await no_check(opened)

    async with open_producer(target, check=check) as producer:
        await producer.send([record()], LONG_S)
    assert errors == []
    logged = [line for line in lines(caplog, "producer.connection_failed") if line["exc_info"]]
    assert ["unforeseen" in line["reason"] for line in logged] == [True]


async def test_a_missing_topic_is_an_error(target: ProducerConfig) -> None:
    """It is raised within the deadline. Other topics' records are delivered meanwhile."""
    async with open_producer(target) as producer:
        await producer.send([record()], LONG_S)
        missing = asyncio.create_task(producer.send([record("no-such-topic")], 1.0))
        for _ in range(5):
            await producer.send([record()], LONG_S)
            await asyncio.sleep(0.1)
        with pytest.raises(NotDeliveredError):
            await missing
        await producer.send([record()], LONG_S)

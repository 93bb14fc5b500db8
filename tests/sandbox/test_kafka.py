"""A real broker: it starts, keeps its data, and has the settings that the service needs."""

import asyncio
import os
import signal
import uuid
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from sandbox.servers import jars, kafka
from sandbox.servers.java import Java
from sandbox.supervision.ports import free_ports
from sandbox.supervision.supervisor import Supervisor
from tests.sandbox.helpers import processes_with

TOPIC = "kept"


@pytest.fixture(scope="module")
def java() -> Java:
    """Kafka's jars, downloaded if needed."""
    return asyncio.run(kafka.fetch(lambda _come, _total: None))


def test_a_cluster_id_never_looks_like_an_option(
    tmp_path: Path, java: Java, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One UUID in 64 begins with a dash in Kafka's encoding, and Kafka's tools refuse it."""
    drawn = [uuid.UUID(bytes=b"\xf8" + bytes(15)), uuid.UUID(bytes=b"\x00" * 16)]
    monkeypatch.setattr(uuid, "uuid4", lambda: drawn.pop(0))
    (broker,) = kafka.cluster(tmp_path, [1], [2], java)
    assert broker.cluster_id == "A" * 22


async def write(bootstrap: str, value: bytes) -> None:
    """Create the topic if needed, and write one record."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        if TOPIC not in await admin.list_topics():
            await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(TOPIC, value)
    finally:
        await producer.stop()


async def read(bootstrap: str) -> list[bytes]:
    """Every record of the topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone()).value for _ in range(end)]
    finally:
        await consumer.stop()


async def topics(bootstrap: str, missing: str) -> list[str]:
    """The topics after a client has requested a missing one."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.describe_topics([missing])
        return list(await admin.list_topics())
    finally:
        await admin.close()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_data_and_cluster_outlive_a_restart(
    java: Java, tmp_path: Path, end: signal.Signals
) -> None:
    """Acknowledged records survive a shutdown and a kill."""
    ports, controller_ports = free_ports(1), free_ports(1)

    async def life(value: bytes) -> list[bytes]:
        brokers = kafka.cluster(tmp_path, ports, controller_ports, java)
        async with Supervisor(tmp_path / "logs") as supervisor:
            await supervisor.start(kafka.steps(brokers, tmp_path / "logs"))
            await write(kafka.bootstrap(brokers), value)
            found = await read(kafka.bootstrap(brokers))
            if end is signal.SIGKILL:
                (pid,) = processes_with(f"{kafka.SERVER_CLASS} {tmp_path}")
                os.kill(pid, end)
        return found

    assert asyncio.run(life(b"one")) == [b"one"]
    cluster_id = (tmp_path / "cluster.id").read_text()
    assert asyncio.run(life(b"two")) == [b"one", b"two"]
    assert (tmp_path / "cluster.id").read_text() == cluster_id
    assert processes_with(str(tmp_path)) == []


def test_a_missing_topic_stays_missing(java: Java, tmp_path: Path) -> None:
    """A client's misspelt topic is not created."""
    brokers = kafka.cluster(tmp_path, free_ports(1), free_ports(1), java)

    async def main() -> list[str]:
        async with Supervisor(tmp_path / "logs") as supervisor:
            await supervisor.start(kafka.steps(brokers, tmp_path / "logs"))
            return await topics(kafka.bootstrap(brokers), "misspelt")

    assert asyncio.run(main()) == []


def test_several_brokers_make_one_cluster(java: Java, tmp_path: Path) -> None:
    """Three ports make a cluster of three nodes."""
    brokers = kafka.cluster(tmp_path, free_ports(3), free_ports(3), java.with_heap("256m"))

    async def main() -> int:
        async with Supervisor(tmp_path / "logs") as supervisor:
            await supervisor.start(kafka.steps(brokers, tmp_path / "logs"))
            admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap(brokers))
            await admin.start()
            try:
                return len((await admin.describe_cluster())["brokers"])
            finally:
                await admin.close()

    assert asyncio.run(main()) == 3


def test_internal_topics_are_copied_as_often_as_there_are_brokers(tmp_path: Path) -> None:
    """The replication factor fits the number of nodes: one, or three."""
    java = Java(classpath="", cache=tmp_path)
    for nodes, copies in ((1, "1"), (3, "3"), (5, "3")):
        ports = tuple(range(9000, 9000 + nodes))
        broker = kafka.cluster(tmp_path, ports, ports, java)[0]
        assert broker.properties()["offsets.topic.replication.factor"] == copies


def test_the_lock_names_the_broker_and_a_hash_for_every_jar() -> None:
    """Every jar on the class path is checked against a SHA-256."""
    lock = jars.read_lock()
    assert f"org.apache.kafka:kafka_2.13:{jars.VERSION}" in {jar.coordinate for jar in lock}
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in lock)

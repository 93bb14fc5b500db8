"""Every record that may be sent fits its topic, and every consumer can read it."""

import ast
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from pydantic import ValidationError

from decisions.dead_letters import HEADER_BYTES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX
from messaging.sender import Sender
from messaging.topic_admin import ALL_TOPICS, CHANGELOG
from messaging.transactional_publisher import fenced_producer
from ports.producer_record import OVERHEAD_BYTES
from processor.stream.app import create_app
from schemas.headers import ID_CHARS_MAX
from schemas.settings import IngressSettings, KafkaSettings, StreamSettings
from schemas.topics import (
    BATCH_BYTES_MAX,
    BODY_BYTES_MAX,
    DEAD_LETTERS,
    DECOMPRESSED_BYTES_MAX,
    ENVELOPE_BYTES,
    FETCH_BYTES_MAX,
    PAYMENT_STATE,
    PROCESSOR_SOURCES,
    PROVIDER_WEBHOOKS_UNROUTED,
    SNAPSHOT_BYTES_MAX,
    Topic,
    fetching,
    request_bytes_max,
)
from tests.support.rooms import ROOMS, modules

#: By class of Kafka client: the argument that limits what it sends or reads.
LIMITED_BY: Final = {
    "AIOKafkaProducer": "max_request_size",
    "AIOKafkaConsumer": "fetching",
    "TolerantConsumer": "fetching",
    "GapReportingConsumer": "fetching",
}
#: Overhead of each event ID, in addition to its text.
_ID_OVERHEAD_BYTES: Final = 20


def calls_in(room: str) -> Iterator[tuple[str, str, str]]:
    """Each call in a room's modules: the file, the called name, and the source."""
    for path in modules(room):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield path.name, node.func.id, ast.unparse(node)


def test_every_client_has_its_limit_from_the_table() -> None:
    """No client relies on a library's default."""
    found = [
        (file, name, call)
        for room in ROOMS
        for file, name, call in calls_in(room)
        if name in LIMITED_BY
    ]
    assert len(found) >= 6
    for file, name, call in found:
        assert LIMITED_BY[name] in call, f"{file}: {call}"


def test_every_topic_has_a_limit() -> None:
    """A batch of small records fits its topic, and any batch fits a fetch response."""
    for topic in ALL_TOPICS:
        assert topic.settings(1)["max.message.bytes"] == str(topic.bytes_max)
        assert BATCH_BYTES_MAX <= topic.bytes_max <= FETCH_BYTES_MAX
        assert topic.bytes_max <= fetching(topic.name)["max_partition_fetch_bytes"]
        assert request_bytes_max(topic.name) + ENVELOPE_BYTES <= topic.bytes_max
        assert topic.bytes_max <= DECOMPRESSED_BYTES_MAX


def test_every_accepted_record_fits() -> None:
    """A body fits its topic. Any record of a source fits a dead letter."""
    for topic in (*PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED):
        assert request_bytes_max(topic) >= BODY_BYTES_MAX + OVERHEAD_BYTES
        assert request_bytes_max(topic) <= VALUE_BYTES_MAX
    largest = HEADER_BYTES_MAX + KEY_BYTES_MAX + VALUE_BYTES_MAX + OVERHEAD_BYTES
    assert largest <= request_bytes_max(DEAD_LETTERS)
    assert request_bytes_max(PAYMENT_STATE) >= SNAPSHOT_BYTES_MAX + OVERHEAD_BYTES


def test_no_setting_exceeds_the_topics_limits() -> None:
    """Neither a larger body nor more event IDs than a changelog entry has room for."""
    with pytest.raises(ValidationError, match="body_limit_bytes"):
        IngressSettings(api_keys={}, body_limit_bytes=BODY_BYTES_MAX + 1)
    most = 256
    with pytest.raises(ValidationError, match="dedup_per_payment"):
        StreamSettings(dedup_per_payment=most + 1)
    # a character has at most four bytes
    entry = most * (4 * ID_CHARS_MAX + _ID_OVERHEAD_BYTES) + OVERHEAD_BYTES
    assert entry <= request_bytes_max(CHANGELOG.name)


@pytest.mark.anyio
async def test_each_client_has_the_limit_of_its_topics(tmp_path: Path) -> None:
    """The producers of versions, of dead letters and of the table, and the worker's consumer."""
    versions = fenced_producer("127.0.0.1:1", "limits")(0)
    await versions.stop()  # it never started; this only closes it
    assert versions._max_request_size == request_bytes_max(PAYMENT_STATE)
    target = Sender("127.0.0.1:1", "limits", 1.0)._producer._instances._config
    assert target.max_value_bytes + OVERHEAD_BYTES == request_bytes_max(DEAD_LETTERS)
    kafka = KafkaSettings(kafka_bootstrap="127.0.0.1:1")
    conf = create_app(kafka, StreamSettings(data_dir=tmp_path)).conf
    assert conf.producer_max_request_size == request_bytes_max(CHANGELOG.name)
    assert conf.producer_max_batch_size == BATCH_BYTES_MAX
    sources = fetching(*PROCESSOR_SOURCES, CHANGELOG.name)
    assert conf.consumer_max_fetch_size == sources["max_partition_fetch_bytes"]


@pytest.mark.anyio
async def test_the_brokers_have_the_same_limits(kafka_bootstrap: str) -> None:
    """The limits of each topic, as the brokers report them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        for topic in ALL_TOPICS:
            resource = ConfigResource(ConfigResourceType.TOPIC, topic.name)
            (response,) = await admin.describe_configs([resource])
            found = {e[0]: e[1] for _, _, _, _, entries in response.resources for e in entries}
            assert found["max.message.bytes"] == str(topic.bytes_max), topic.name
    finally:
        await admin.close()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "topic", [topic for topic in ALL_TOPICS if topic.name in {PAYMENT_STATE, DEAD_LETTERS}]
)
async def test_the_largest_record_is_accepted_and_read(kafka_bootstrap: str, topic: Topic) -> None:
    """For one topic of each size, with its clients' limits."""
    name, value = f"sizes-{uuid.uuid4().hex}", b"v" * (request_bytes_max(topic.name) - 100)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        limit = {"max.message.bytes": topic.settings(1)["max.message.bytes"]}
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs=limit)])
    finally:
        await admin.close()
    async with AIOKafkaProducer(
        bootstrap_servers=kafka_bootstrap, max_request_size=request_bytes_max(topic.name)
    ) as producer:
        await producer.send_and_wait(name, value, b"key")
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka_bootstrap, auto_offset_reset="earliest", **fetching(topic.name)
    ) as consumer:
        consumer.assign([TopicPartition(name, 0)])
        assert (await consumer.getone()).value == value

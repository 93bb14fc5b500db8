"""Topics that are missing or wrongly partitioned are refused by name, before any work begins."""

import uuid

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import InvalidReplicationFactorError

from messaging import topic_admin
from messaging.topic_admin import check_topics, create_topics
from ports.errors import MissingTopicsError
from schemas.settings import KafkaSettings
from schemas.topics import Topic
from tests.conftest import PARTITIONS

pytestmark = pytest.mark.anyio


def settings(bootstrap: str, partitions: int = PARTITIONS, copies: int = 1) -> KafkaSettings:
    """Returns the settings of a process."""
    return KafkaSettings(
        kafka_bootstrap=bootstrap, partitions=partitions, replication_factor=copies
    )


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> str:
    """Returns the name of a required topic that does not exist."""
    name = f"missing-{uuid.uuid4().hex}"
    topic = Topic(name, "k", "v", "nobody", "nobody", config={"retention.ms": "-1"})
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (*topic_admin.ALL_TOPICS, topic))
    return name


async def test_correct_topics_are_accepted(kafka_bootstrap: str) -> None:
    """Nothing is created, and nothing is refused."""
    assert await create_topics(settings(kafka_bootstrap)) == []
    await check_topics(settings(kafka_bootstrap))


async def test_a_missing_topic_is_named(kafka_bootstrap: str, missing: str) -> None:
    """Otherwise a worker would wait for ever. The error names the command that creates it."""
    with pytest.raises(MissingTopicsError, match=rf"missing: {missing}\. `payments topics`"):
        await check_topics(settings(kafka_bootstrap))


async def test_only_a_missing_topic_is_created(kafka_bootstrap: str, missing: str) -> None:
    """It has the configured number of partitions, and the check passes afterwards."""
    assert await create_topics(settings(kafka_bootstrap)) == [missing]
    await check_topics(settings(kafka_bootstrap))
    assert await create_topics(settings(kafka_bootstrap)) == []
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([missing])
    finally:
        await admin.close()
    assert len(described["partitions"]) == PARTITIONS


async def test_another_number_of_partitions_is_refused(kafka_bootstrap: str) -> None:
    """It would split a payment between workers. The error names the topic and both numbers."""
    wanted = settings(kafka_bootstrap, partitions=PARTITIONS + 1)
    with pytest.raises(MissingTopicsError) as refused:
        await check_topics(wanted)
    assert f"payment-commands has {PARTITIONS} partitions" in str(refused.value)
    assert f"PAYMENTS_PARTITIONS is {PARTITIONS + 1}" in str(refused.value)


async def test_a_topic_that_is_not_copartitioned_may_have_any_number(
    kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead letters and unrouted webhooks belong to no payment's worker."""
    alone = tuple(topic for topic in topic_admin.ALL_TOPICS if not topic.copartitioned)
    assert alone
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", alone)
    await check_topics(settings(kafka_bootstrap, partitions=PARTITIONS + 1))


async def test_more_copies_than_brokers_are_refused(kafka_bootstrap: str, missing: str) -> None:
    """The error has the broker's reason and the topic's name."""
    with pytest.raises(InvalidReplicationFactorError, match=missing):
        await create_topics(settings(kafka_bootstrap, copies=3))


@pytest.mark.parametrize(("copies", "enough"), [(1, "1"), (2, "1"), (3, "2")])
def test_one_broker_may_be_lost(copies: int, enough: str) -> None:
    """Of three copies two are written before a record counts, and writing goes on with two."""
    found = topic_admin._durability(settings("127.0.0.1:1", copies=copies))
    assert found == {"min.insync.replicas": enough}


def test_the_changelog_is_compacted_and_kept() -> None:
    """It has the whole dedup table, and no more than that."""
    assert topic_admin.CHANGELOG.config == {"cleanup.policy": "compact", "retention.ms": "-1"}
    assert topic_admin.CHANGELOG.copartitioned

"""Topics that are missing or wrongly partitioned are refused by name, before any work begins."""

import uuid
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidReplicationFactorError, KafkaError

from messaging import topic_admin
from messaging.topic_admin import check_topics, configure_topics, create_topics
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
    """It has the whole dedup table, and soon no more than that."""
    found = topic_admin.CHANGELOG.settings(log_retention_s=1)
    assert (found["cleanup.policy"], found["retention.ms"]) == ("compact", "-1")
    assert found["min.compaction.lag.ms"] == "0"
    assert int(found["segment.bytes"]) <= 64 * 1024 * 1024
    assert topic_admin.CHANGELOG.copartitioned


async def configuration(bootstrap: str, topic: str) -> dict[str, str]:
    """Returns the values of a topic's options."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (found,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        await admin.close()
    ((*_, options),) = found.resources
    return {name: value for name, value, *_ in options}


async def test_an_existing_topic_gets_a_new_configuration(
    kafka_bootstrap: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, and with what changed; what an operator configured besides it stays."""
    await create_topics(settings(kafka_bootstrap))
    assert await configure_topics(settings(kafka_bootstrap)) == []
    *others, old = topic_admin.ALL_TOPICS
    further = replace(old, config={"retention.ms": "-1", "flush.messages": "7"})
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (*others, further))
    changed = await configure_topics(settings(kafka_bootstrap))
    assert len(changed) == 1
    assert changed[0].startswith(f"{missing} flush.messages: ")
    assert changed[0].endswith(" → 7")
    wanted = replace(old, config={"cleanup.policy": "compact", "retention.ms": "5000"})
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (*others, wanted))
    assert sorted(await configure_topics(settings(kafka_bootstrap))) == [
        f"{missing} cleanup.policy: delete → compact",
        f"{missing} retention.ms: -1 → 5000",
    ]
    assert await configure_topics(settings(kafka_bootstrap)) == []
    found = await configuration(kafka_bootstrap, missing)
    assert (found["cleanup.policy"], found["retention.ms"]) == ("compact", "5000")
    assert found["flush.messages"] == "7"
    assert found["min.insync.replicas"] == "1"


async def test_the_retention_of_the_log_is_a_setting(
    kafka_bootstrap: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`payments topics` applies it to the topics that are logs, and to no other."""
    *_, topic = topic_admin.ALL_TOPICS
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (replace(topic, config={}, is_log=True),))
    await create_topics(settings(kafka_bootstrap))
    wanted = settings(kafka_bootstrap).model_copy(update={"log_retention_s": 86_400.0})
    changed = await configure_topics(wanted)
    assert changed == [f"{missing} retention.ms: 7776000000 → 86400000"]


async def test_an_option_that_brokers_refuse_is_an_error(
    kafka_bootstrap: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the topic and has the brokers' reason."""
    await create_topics(settings(kafka_bootstrap))
    *_, topic = topic_admin.ALL_TOPICS
    wrong = replace(topic, config={"cleanup.policy": "burn"})
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (wrong,))
    with pytest.raises(KafkaError, match=f"{missing} can't be configured: .*burn"):
        await configure_topics(settings(kafka_bootstrap))

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
    """The settings of a process."""
    return KafkaSettings(
        kafka_bootstrap=bootstrap, partitions=partitions, replication_factor=copies
    )


@pytest.fixture
def another(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a topic that has to be there too, and is not."""
    name = f"another-{uuid.uuid4().hex}"
    topic = Topic(name, "k", "v", "nobody", "nobody", config={"retention.ms": "-1"})
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (*topic_admin.ALL_TOPICS, topic))
    return name


async def test_topics_that_are_as_they_must_be(kafka_bootstrap: str) -> None:
    """There is nothing to create, and nothing to refuse."""
    assert await create_topics(settings(kafka_bootstrap)) == []
    await check_topics(settings(kafka_bootstrap))


async def test_a_missing_topic_is_named(kafka_bootstrap: str, another: str) -> None:
    """A worker would wait for it for ever: it is named, with the command that creates it."""
    with pytest.raises(MissingTopicsError, match=rf"missing: {another}\. `payments topics`"):
        await check_topics(settings(kafka_bootstrap))


async def test_what_is_missing_is_created(kafka_bootstrap: str, another: str) -> None:
    """Only that, with our partitions and its configuration; then all is well."""
    assert await create_topics(settings(kafka_bootstrap)) == [another]
    await check_topics(settings(kafka_bootstrap))
    assert await create_topics(settings(kafka_bootstrap)) == []
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        (described,) = await admin.describe_topics([another])
    finally:
        await admin.close()
    assert len(described["partitions"]) == PARTITIONS


async def test_another_number_of_partitions_is_refused(kafka_bootstrap: str) -> None:
    """It would split a payment between workers: the error names the topic and both numbers."""
    wanted = settings(kafka_bootstrap, partitions=PARTITIONS + 1)
    with pytest.raises(MissingTopicsError) as refused:
        await check_topics(wanted)
    assert f"payment-commands has {PARTITIONS} partitions" in str(refused.value)
    assert f"PAYMENTS_PARTITIONS is {PARTITIONS + 1}" in str(refused.value)


async def test_a_topic_nobody_shares_may_have_any_number(
    kafka_bootstrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead letters and unrouted webhooks belong to no payment's worker."""
    alone = tuple(topic for topic in topic_admin.ALL_TOPICS if not topic.copartitioned)
    assert alone
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", alone)
    await check_topics(settings(kafka_bootstrap, partitions=PARTITIONS + 1))


async def test_more_copies_than_brokers_are_refused(kafka_bootstrap: str, another: str) -> None:
    """The broker's own reason, with the topic's name."""
    with pytest.raises(InvalidReplicationFactorError, match=another):
        await create_topics(settings(kafka_bootstrap, copies=3))

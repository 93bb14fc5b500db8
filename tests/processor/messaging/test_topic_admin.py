"""Topics that are missing or wrongly partitioned are refused by name, before any work begins."""

import uuid
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidReplicationFactorError, KafkaError

from cli.main import main
from messaging import topic_admin
from messaging.topic_admin import check_topics, configure_topics, create_topics, outliving
from ports.errors import MissingTopicsError
from schemas.settings import KafkaSettings
from schemas.topics import HOUR_MS, TOPICS, Topic
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
    """It has the whole dedup table, and soon no more than that.

    What was replaced is a fifth of it at most, or a few hours old: a worker without its disk reads
    all of it.
    """
    found = topic_admin.CHANGELOG.settings(log_retention_s=1)
    assert (found["cleanup.policy"], found["retention.ms"]) == ("compact", "-1")
    assert found["min.compaction.lag.ms"] == "0"
    assert int(found["max.compaction.lag.ms"]) == 6 * HOUR_MS
    assert int(found["segment.ms"]) == HOUR_MS
    assert float(found["min.cleanable.dirty.ratio"]) <= 0.2
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
    assert await configure_topics(settings(kafka_bootstrap)) == ([], [])
    *others, old = topic_admin.ALL_TOPICS
    further = replace(old, config={"retention.ms": "-1", "flush.messages": "7"})
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (*others, further))
    changed, _ = await configure_topics(settings(kafka_bootstrap))
    assert len(changed) == 1
    assert changed[0].startswith(f"{missing} flush.messages: ")
    assert changed[0].endswith(" → 7")
    wanted = replace(old, config={"cleanup.policy": "compact", "segment.ms": "5000"})
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (*others, wanted))
    assert sorted((await configure_topics(settings(kafka_bootstrap))).changed) == [
        f"{missing} cleanup.policy: delete → compact",
        f"{missing} segment.ms: 604800000 → 5000",
    ]
    assert await configure_topics(settings(kafka_bootstrap)) == ([], [])
    found = await configuration(kafka_bootstrap, missing)
    assert (found["cleanup.policy"], found["segment.ms"]) == ("compact", "5000")
    assert found["flush.messages"] == "7"
    assert found["min.insync.replicas"] == "1"


async def test_the_retention_of_the_log_is_a_setting(
    kafka_bootstrap: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`payments topics` applies it to the topics that are logs, and to no other."""
    *_, topic = topic_admin.ALL_TOPICS
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (replace(topic, config={}, is_log=True),))
    await create_topics(settings(kafka_bootstrap))
    wanted = settings(kafka_bootstrap).model_copy(update={"log_retention_s": 8_640_000.0})
    assert await configure_topics(wanted) == (
        [f"{missing} retention.ms: 7776000000 → 8640000000"],
        [],
    )


@pytest.mark.parametrize("raised", ["8640000000", "-1"])
async def test_a_longer_retention_is_never_shortened(
    kafka_bootstrap: str, missing: str, monkeypatch: pytest.MonkeyPatch, raised: str
) -> None:
    """An operator raises it in a long outage, and the deployment that ends it deletes nothing."""
    *_, topic = topic_admin.ALL_TOPICS
    log = replace(topic, config={"retention.ms": raised})
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (log,))
    await create_topics(settings(kafka_bootstrap))
    ours = replace(topic, config={"flush.messages": "7"}, is_log=True)
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (ours,))
    kept = [f"{missing} retention.ms: {raised}, which is longer than 7776000000"]
    changed, said = await configure_topics(settings(kafka_bootstrap))
    assert ([text.split()[1] for text in changed], said) == (["flush.messages:"], kept)
    assert await configure_topics(settings(kafka_bootstrap)) == ([], kept)
    assert (await configuration(kafka_bootstrap, missing))["retention.ms"] == raised


@pytest.mark.parametrize(
    ("retention", "said"),
    [("100000", None), ("1000", None), ("100001", "for 100.001 s"), ("-1", "for ever")],
)
async def test_a_log_that_outlives_the_history_is_named(
    kafka_bootstrap: str,
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
    retention: str,
    said: str | None,
) -> None:
    """Read again, its oldest records would be decided again. Both values and the fix are named."""
    *_, topic = topic_admin.ALL_TOPICS
    log = replace(topic, config={"retention.ms": retention})
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (log,))
    await create_topics(settings(kafka_bootstrap))
    ours = replace(topic, config={}, is_log=True)
    state = next(t for t in TOPICS if t.name == "payment-state")
    monkeypatch.setattr(topic_admin, "ALL_TOPICS", (ours, state))
    expected = (
        f"{missing} keeps records {said}, but PAYMENTS_HISTORY_RETENTION_S is 100: one that is "
        "read again later than that is decided again, and a rejected command could be carried out. "
        "Set retention.ms of the topic to 100000 or less, or raise PAYMENTS_HISTORY_RETENTION_S"
    )
    assert await outliving(settings(kafka_bootstrap), 100.0) == ([expected] if said else [])


@pytest.mark.parametrize(("history", "warned"), [("7776000", 0), ("7775999", 6)])
def test_the_command_warns_of_a_log_that_outlives_the_history(
    kafka_bootstrap: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    history: str,
    warned: int,
) -> None:
    """`payments topics` looks at every topic from which records leave, and then is done."""
    monkeypatch.setenv("PAYMENTS_KAFKA_BOOTSTRAP", kafka_bootstrap)
    monkeypatch.setenv("PAYMENTS_PARTITIONS", str(PARTITIONS))
    monkeypatch.setenv("PAYMENTS_HISTORY_RETENTION_S", history)
    assert main(["topics"]) == 0
    warnings = [text for text in capsys.readouterr().out.splitlines() if "warning: " in text]
    assert len(warnings) == warned
    assert all("keeps records for 7776000 s, but" in text for text in warnings)


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

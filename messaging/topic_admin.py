"""Creates the topics of ``schemas.topics`` and checks their partitions."""

from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from tenacity import (
    retry,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from messaging.lifetime import start_client
from ports.errors import MissingTopicsError
from schemas.settings import KafkaSettings
from schemas.topics import APP_ID, KEEP_FOR_EVER, TOPICS, Topic

#: Faust's name for the changelog of the dedup table; it must have the sources' partitions.
CHANGELOG: Final = Topic(
    f"{APP_ID}-dedup-changelog",
    key="payment ID",
    value="its recent event IDs",
    written_by="processor",
    read_by="processor",
    config={"cleanup.policy": "compact", **KEEP_FOR_EVER},
)
ALL_TOPICS: Final = (*TOPICS, CHANGELOG)
_ALREADY_EXISTS: Final = TopicAlreadyExistsError.errno
#: Seconds that a starting program waits for the brokers before it fails and is restarted.
BROKERS_TIMEOUT_S: Final = 300.0
#: Seconds after which brokers that accept a connection but do not respond are given up.
START_TIMEOUT_S: Final = 8.0
REQUEST_TIMEOUT_MS: Final = 30_000


async def create_topics(settings: KafkaSettings) -> list[str]:
    """Creates the missing topics and returns their names.

    Raises MissingTopicsError, KafkaError.
    """
    admin = AIOKafkaAdminClient(
        bootstrap_servers=settings.kafka_bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS
    )
    try:
        await start_client(admin, START_TIMEOUT_S)
        new = [
            NewTopic(
                topic.name,
                settings.partitions,
                settings.replication_factor,
                topic_configs={**topic.settings, **_durability(settings)},
            )
            for topic in ALL_TOPICS
        ]
        response = await admin.create_topics(new)
        created = []
        for name, code, *_ in response.topic_errors:
            if code == 0:
                created.append(name)
            elif code != _ALREADY_EXISTS:
                raise for_code(code)(f"topic {name} can't be created")
        await _until_known(admin, settings)
    finally:
        await admin.close()
    return created


@retry(
    retry=retry_if_exception_type(MissingTopicsError),
    wait=wait_random_exponential(multiplier=0.05, max=1.0),
    stop=stop_after_delay(15.0),
    reraise=True,
)
async def _until_known(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> None:
    """Waits until every broker knows the new topics."""
    await _check(admin, settings)


@retry(
    retry=retry_if_exception_type(KafkaError),
    wait=wait_random_exponential(multiplier=0.1, max=5.0),
    stop=stop_after_delay(BROKERS_TIMEOUT_S),
    reraise=True,
)
async def check_topics(settings: KafkaSettings) -> None:
    """Checks that every topic exists with the right number of partitions.

    Waits for unresponsive brokers, so that a program restarted in an outage survives its rest.
    Without this check, a stream worker whose topic is missing would wait for ever.

    Raises:
        MissingTopicsError: a topic is missing or has the wrong number of partitions.
        KafkaError: the brokers did not respond within ``BROKERS_TIMEOUT_S`` seconds.
    """
    admin = AIOKafkaAdminClient(
        bootstrap_servers=settings.kafka_bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS
    )
    try:
        await start_client(admin, START_TIMEOUT_S)
        await _check(admin, settings)
    finally:
        await admin.close()


async def _check(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> None:
    names = set(await admin.list_topics())
    missing = sorted(topic.name for topic in ALL_TOPICS if topic.name not in names)
    if missing:
        raise MissingTopicsError(f"missing: {', '.join(missing)}. `payments topics` creates them")
    descriptions = await admin.describe_topics([topic.name for topic in ALL_TOPICS])
    counts = {topic["topic"]: len(topic["partitions"]) for topic in descriptions}
    for topic in ALL_TOPICS:
        if topic.copartitioned and counts[topic.name] != settings.partitions:
            raise MissingTopicsError(
                f"{topic.name} has {counts[topic.name]} partitions, but PAYMENTS_PARTITIONS is "
                f"{settings.partitions}; they must be equal and can't change later"
            )


def _durability(settings: KafkaSettings) -> dict[str, str]:
    """Of three replicas, two must have a record before it counts as written."""
    enough = settings.replication_factor - 1 or 1
    return {"min.insync.replicas": str(enough)}

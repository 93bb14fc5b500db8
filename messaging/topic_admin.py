"""Creates and configures the topics of ``schemas.topics``, and checks their partitions."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
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
from schemas.topics import APP_ID, HOUR_MS, TOPICS, Topic, compacted

#: Faust's name for the changelog of the dedup table; it must have the sources' partitions.
CHANGELOG: Final = Topic(
    f"{APP_ID}-dedup-changelog",
    key="payment ID",
    value="its recent event IDs",
    written_by="processor",
    read_by="processor",
    # read from its beginning by a worker without a disk, so what was replaced goes at once
    config=compacted(0, 6 * HOUR_MS, 64 * 1024 * 1024),
)
ALL_TOPICS: Final = (*TOPICS, CHANGELOG)
_ALREADY_EXISTS: Final = TopicAlreadyExistsError.errno
#: The brokers' number for a value that was set for the topic itself.
_SET_FOR_TOPIC: Final = 1
_RETENTION: Final = "retention.ms"
_FOR_EVER: Final = "-1"
#: Seconds within which every broker knows what another one has accepted, and between two looks.
KNOWN_WITHIN_S: Final = 15.0
KNOWN_POLL_S: Final = 0.1
#: Seconds that a starting program waits for the brokers before it fails and is restarted.
BROKERS_TIMEOUT_S: Final = 300.0
#: Seconds after which brokers that accept a connection but do not respond are given up.
START_TIMEOUT_S: Final = 8.0
REQUEST_TIMEOUT_MS: Final = 30_000


@asynccontextmanager
async def _connected(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=settings.kafka_bootstrap, request_timeout_ms=REQUEST_TIMEOUT_MS
    )
    try:
        await start_client(admin, START_TIMEOUT_S)
        yield admin
    finally:
        await admin.close()


async def create_topics(settings: KafkaSettings) -> list[str]:
    """Creates the missing topics and returns their names.

    Raises MissingTopicsError, KafkaError.
    """
    async with _connected(settings) as admin:
        new = [
            NewTopic(
                topic.name,
                settings.partitions,
                settings.replication_factor,
                topic_configs=_configuration(topic, settings),
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
    return created


class Configured(NamedTuple):
    """What became of the topics' configuration, a line each: topic, option and both values."""

    changed: list[str]
    #: Retentions that are longer than ours, which stay: what a topic has lost does not come back.
    kept: list[str]


async def configure_topics(settings: KafkaSettings) -> Configured:
    """Gives existing topics the configuration that they lack.

    What else was configured for them stays, and so does a longer retention: an operator may have
    raised it in an outage. Raises KafkaError.
    """
    async with _connected(settings) as admin:
        resources, changed, kept = await _to_configure(admin, settings)
        if resources:
            for response in await admin.alter_configs(resources):
                for code, message, _, name in response.resources:
                    if code:
                        raise for_code(code)(f"topic {name} can't be configured: {message}")
            await _until_configured(admin, settings)
    return Configured(changed, kept)


async def _to_configure(
    admin: AIOKafkaAdminClient, settings: KafkaSettings
) -> tuple[list[ConfigResource], list[str], list[str]]:
    """Returns the topics that lack something, what that is, and what is kept, in words."""
    resources, lacking, kept = [], [], []
    for topic, configured in zip(ALL_TOPICS, await _configured(admin), strict=True):
        wanted = _configuration(topic, settings)
        values = {name: value for name, (value, _) in configured.items()}
        ours, theirs = wanted.get(_RETENTION), values[_RETENTION]
        if ours is not None and _is_longer(theirs, ours):
            wanted[_RETENTION] = theirs
            kept.append(f"{topic.name} {_RETENTION}: {theirs}, which is longer than {ours}")
        new = {name: value for name, value in wanted.items() if values.get(name) != value}
        if new:
            # what is not repeated would be reset
            own = {
                n: value for n, (value, source) in configured.items() if source == _SET_FOR_TOPIC
            }
            resource = ConfigResource(ConfigResourceType.TOPIC, topic.name, {**own, **wanted})
            resources.append(resource)
            lacking += [f"{topic.name} {n}: {values.get(n)} → {v}" for n, v in new.items()]
    return resources, lacking, kept


def _is_longer(one: str, other: str) -> bool:
    """Whether a retention in milliseconds is longer than another one; -1 is for ever."""
    return other != _FOR_EVER and (one == _FOR_EVER or int(one) > int(other))


async def outliving(settings: KafkaSettings, history_retention_s: float) -> list[str]:
    """Returns the topics that keep records for longer than the history knows of them, in words.

    What was decided about a record is in the history. A record that the log has for longer would be
    decided again if the log were read again: a command that was rejected could be carried out.

    Args:
        settings: where the brokers are.
        history_retention_s: how long the history is kept, in seconds.

    Raises KafkaError.
    """
    async with _connected(settings) as admin:
        configured = await _configured(admin)
    history_ms = str(round(history_retention_s * 1000))
    found = []
    for topic, options in zip(ALL_TOPICS, configured, strict=True):
        ours = _configuration(topic, settings).get(_RETENTION, _FOR_EVER)
        theirs, _ = options[_RETENTION]
        if ours != _FOR_EVER and _is_longer(theirs, history_ms):
            found.append(
                f"{topic.name} keeps records {_time(theirs)}, but PAYMENTS_HISTORY_RETENTION_S is "
                f"{history_retention_s:.12g}: one that is read again later than that is decided "
                f"again, and a rejected command could be carried out. Set {_RETENTION} of the "
                f"topic to {history_ms} or less, or raise PAYMENTS_HISTORY_RETENTION_S"
            )
    return found


def _time(retention_ms: str) -> str:
    return "for ever" if retention_ms == _FOR_EVER else f"for {int(retention_ms) / 1000:.12g} s"


async def _until_configured(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> None:
    """Waits until the brokers that are asked know the new configuration, for a time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(KNOWN_WITHIN_S):
            while (await _to_configure(admin, settings))[0]:  # noqa: ASYNC110  # only brokers know
                await asyncio.sleep(KNOWN_POLL_S)


async def _configured(admin: AIOKafkaAdminClient) -> list[Mapping[str, tuple[str, int]]]:
    """Returns the options of all topics: each one's value and where it comes from."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in ALL_TOPICS]
    found = {}
    for response in await admin.describe_configs(asked):
        for code, message, _, name, options in response.resources:
            if code:
                raise for_code(code)(f"topic {name} can't be described: {message}")
            found[name] = {option: (value, source) for option, value, _, source, *_ in options}
    return [found[topic.name] for topic in ALL_TOPICS]


@retry(
    retry=retry_if_exception_type(MissingTopicsError),
    wait=wait_random_exponential(multiplier=0.05, max=1.0),
    stop=stop_after_delay(KNOWN_WITHIN_S),
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
    async with _connected(settings) as admin:
        await _check(admin, settings)


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


def _configuration(topic: Topic, settings: KafkaSettings) -> dict[str, str]:
    return {**topic.settings(settings.log_retention_s), **_durability(settings)}


def _durability(settings: KafkaSettings) -> dict[str, str]:
    """Of three replicas, two must have a record before it counts as written."""
    enough = settings.replication_factor - 1 or 1
    return {"min.insync.replicas": str(enough)}

"""The topics that the ingress writes, and the check that the brokers have them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaProducer

from ports.errors import TopicsNotReadyError
from schemas.topics import (
    PAYMENT_COMMANDS,
    PROVIDER_WEBHOOKS,
    PROVIDER_WEBHOOKS_UNROUTED,
    TOPICS,
)

WRITTEN: Final = (PAYMENT_COMMANDS, PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED)
COPARTITIONED: Final[Mapping[str, bool]] = {t.name: t.copartitioned for t in TOPICS}
#: How long a record waits for others to share its request. Less means many more requests.
LINGER_MS: Final = 5


@dataclass(frozen=True, slots=True)
class KafkaTarget:
    """The brokers, and the expected topics and record sizes."""

    #: ``host:port``, comma-separated.
    bootstrap: str
    #: Of each co-partitioned topic.
    partitions: int
    max_value_bytes: int
    #: How long a record waits for others where many come, in seconds.
    gather_s: float = 0.0

    async def check(self, producer: AIOKafkaProducer) -> None:
        """Checks that every topic written here exists and has the right number of partitions.

        Raises TopicsNotReadyError, which names what is wrong, or KafkaError if no broker answers.
        """
        cluster = await producer.client.fetch_all_metadata()
        wrong = []
        for topic in WRITTEN:
            found = cluster.partitions_for_topic(topic)
            if not found:
                wrong.append(f"topic {topic} is missing")
            elif COPARTITIONED[topic] and len(found) != self.partitions:
                wrong.append(
                    f"topic {topic} has {len(found)} partitions, "
                    f"but PAYMENTS_PARTITIONS is {self.partitions}"
                )
        if wrong:
            raise TopicsNotReadyError("; ".join(wrong))

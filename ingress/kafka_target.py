"""Which topics the ingress writes, and whether the brokers have them as they must be."""

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
#: A webhook waits no longer for company; with less, the brokers have many more requests to answer.
LINGER_MS: Final = 5


@dataclass(frozen=True, slots=True)
class KafkaTarget:
    """The brokers (``host:port,...``), and what is asked of the topics and of one record."""

    bootstrap: str
    partitions: int
    max_value_bytes: int

    async def check(self, producer: AIOKafkaProducer) -> None:
        """Asks the brokers whether every topic written here is there and co-partitioned.

        Raises TopicsNotReadyError naming what is wrong, KafkaError where no broker answers.
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
                    f"PAYMENTS_PARTITIONS says {self.partitions}"
                )
        if wrong:
            raise TopicsNotReadyError("; ".join(wrong))

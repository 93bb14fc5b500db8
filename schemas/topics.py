"""The topics, as one table. ``payments topics`` creates them; processes check them at start."""

from dataclasses import dataclass, field
from typing import Final

PAYMENT_COMMANDS: Final = "payment-commands"
PROVIDER_WEBHOOKS: Final = "provider-webhooks"
PROVIDER_WEBHOOKS_UNROUTED: Final = "provider-webhooks-unrouted"
PROVIDER_RESULTS: Final = "provider-results"
PAYMENT_STATE: Final = "payment-state"
DEAD_LETTERS: Final = "dead-letters"

#: The topics one worker must own together, partition by partition: what is said about one payment.
PROCESSOR_SOURCES: Final = (PAYMENT_COMMANDS, PROVIDER_WEBHOOKS, PROVIDER_RESULTS)

#: The stream's consumer group, and what its changelog topic is named after.
APP_ID: Final = "payments-processor"

DAY_MS: Final = 24 * 60 * 60 * 1000
#: What a topic takes as one batch: the largest record, alone, or many small ones.
RECORD_BYTES_MAX: Final = 1024 * 1024
#: A record of any size that other topics take, and the headers that say why it is here.
DEAD_LETTER_BYTES_MAX: Final = 2 * 1024 * 1024
#: A batch of records once it is decompressed; what is larger ends as a dead letter, unread.
DECOMPRESSED_BYTES_MAX: Final = 16 * 1024 * 1024
#: A payment's snapshot; a payment that would be larger is quarantined instead of committed.
SNAPSHOT_BYTES_MAX: Final = 1_000_000
#: What Kafka puts around a record that is alone in its batch, and some to spare.
ENVELOPE_BYTES: Final = 1024
#: Small records that a producer puts into one batch.
BATCH_BYTES_MAX: Final = 256 * 1024
#: What the brokers put into one answer to a consumer, from all of its partitions together.
FETCH_BYTES_MAX: Final = 32 * 1024 * 1024
#: The largest body of a request: as a record, with key and headers, each topic takes it.
BODY_BYTES_MAX: Final = 1_000_000
KEEP_FOR_EVER: Final = {"retention.ms": "-1"}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: what its key is, what its value is, who writes and who reads it."""

    name: str
    key: str
    value: str
    written_by: str
    read_by: str
    #: Co-partitioned topics share one partition count (``PAYMENTS_PARTITIONS``).
    copartitioned: bool = True
    config: dict[str, str] = field(default_factory=dict)
    #: A batch, and so a record, is not larger.
    bytes_max: int = RECORD_BYTES_MAX

    @property
    def settings(self) -> dict[str, str]:
        """How the topic is made: its ``config``, and the limit on size."""
        return {**self.config, "max.message.bytes": str(self.bytes_max)}


TOPICS: Final[tuple[Topic, ...]] = (
    Topic(
        PAYMENT_COMMANDS,
        key="payment ID",
        value="a command: create, confirm, capture, cancel, refund; or an operator's release",
        written_by="ingress, reconciler (expiry), operator (release)",
        read_by="processor",
        config=KEEP_FOR_EVER,
    ),
    Topic(
        PROVIDER_WEBHOOKS,
        key="payment ID",
        value="the verified webhook, raw body untouched",
        written_by="ingress, router, reconciler",
        read_by="processor",
        config=KEEP_FOR_EVER,
    ),
    Topic(
        PROVIDER_RESULTS,
        key="payment ID",
        value="what a call to the provider came to",
        written_by="provider calls",
        read_by="processor",
        config=KEEP_FOR_EVER,
    ),
    Topic(
        PAYMENT_STATE,
        key="payment ID",
        value="the whole payment as of one version",
        written_by="processor",
        read_by="downstream services",
        config={
            "cleanup.policy": "compact",
            "min.cleanable.dirty.ratio": "0.1",
        },
    ),
    Topic(
        PROVIDER_WEBHOOKS_UNROUTED,
        key="the provider's object ID",
        value="a verified webhook from which no payment ID could be read, raw body untouched",
        written_by="ingress",
        read_by="router",
        copartitioned=False,
        config=KEEP_FOR_EVER,
    ),
    Topic(
        DEAD_LETTERS,
        key="as it came",
        value="a record nobody could decode, as it came; where it stood and why in headers",
        written_by="processor, router",
        read_by="operator",
        copartitioned=False,
        config={"retention.ms": str(90 * DAY_MS)},
        bytes_max=DEAD_LETTER_BYTES_MAX,
    ),
)
_BYTES_MAX: Final = {topic.name: topic.bytes_max for topic in TOPICS}


def _bytes_max(topic: str) -> int:
    return _BYTES_MAX.get(topic, RECORD_BYTES_MAX)


def request_bytes_max(*topics: str) -> int:
    """A producer's ``max_request_size``: the largest record that one of these topics takes."""
    return max(map(_bytes_max, topics)) - ENVELOPE_BYTES


def fetching(*topics: str) -> dict[str, int]:
    """A consumer's limits: the largest batch of any of these topics comes in one answer."""
    return {
        "max_partition_fetch_bytes": max(map(_bytes_max, topics)),
        "fetch_max_bytes": FETCH_BYTES_MAX,
    }

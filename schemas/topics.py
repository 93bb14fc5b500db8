"""The table of topics. ``payments topics`` creates them; processes check them at start-up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PAYMENT_COMMANDS: Final = "payment-commands"
PROVIDER_WEBHOOKS: Final = "provider-webhooks"
PROVIDER_WEBHOOKS_UNROUTED: Final = "provider-webhooks-unrouted"
PROVIDER_RESULTS: Final = "provider-results"
PAYMENT_STATE: Final = "payment-state"
PAYMENT_OPERATIONS: Final = "payment-operations"
DEAD_LETTERS: Final = "dead-letters"

#: Topics whose partitions of one number one worker must own together: they hold a payment's inputs.
PROCESSOR_SOURCES: Final = (PAYMENT_COMMANDS, PROVIDER_WEBHOOKS, PROVIDER_RESULTS)

#: The stream's consumer group, and the prefix of its changelog topic.
APP_ID: Final = "payments-processor"
#: The router's consumer group.
ROUTER_GROUP: Final = "payments-router"

HOUR_MS: Final = 60 * 60 * 1000
DAY_MS: Final = 24 * HOUR_MS
#: Largest batch of a topic: one large record, or many small ones.
RECORD_BYTES_MAX: Final = 1024 * 1024
#: Largest batch of ``dead-letters``: a record of any other topic, and its added headers.
DEAD_LETTER_BYTES_MAX: Final = 2 * 1024 * 1024
#: Largest decompressed batch. A larger one becomes a dead letter, unread.
DECOMPRESSED_BYTES_MAX: Final = 16 * 1024 * 1024
#: A payment's snapshot; a payment that would be larger is quarantined instead of committed.
SNAPSHOT_BYTES_MAX: Final = 1_000_000
#: Kafka's overhead for a batch of one record, with some margin.
ENVELOPE_BYTES: Final = 1024
#: Largest batch that a producer makes of small records.
BATCH_BYTES_MAX: Final = 256 * 1024
#: Largest fetch response, over all partitions of a consumer.
FETCH_BYTES_MAX: Final = 32 * 1024 * 1024
#: Largest body of a request. As a record, with key and headers, it fits every topic.
BODY_BYTES_MAX: Final = 1_000_000
#: How producers compress their batches, and brokers what comes otherwise.
COMPRESSION: Final = "zstd"
COMPRESSED: Final = {"compression.type": COMPRESSION}
#: Records leave within a day of their retention, because they leave a segment at a time.
LOG: Final = {**COMPRESSED, "cleanup.policy": "delete", "segment.ms": str(DAY_MS)}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its key, its value, its writers and its readers."""

    name: str
    key: str
    value: str
    written_by: str
    read_by: str
    #: Co-partitioned topics share one partition count (``PAYMENTS_PARTITIONS``).
    copartitioned: bool = True
    config: Mapping[str, str] = field(default_factory=dict)
    #: Whether records are deleted after ``PAYMENTS_LOG_RETENTION_S``.
    is_log: bool = False
    #: Largest batch, and so largest record.
    bytes_max: int = RECORD_BYTES_MAX

    def settings(self, log_retention_s: float) -> dict[str, str]:
        """Returns the topic's configuration: ``config``, its retention and its size limit."""
        retention = {"retention.ms": str(round(log_retention_s * 1000))} if self.is_log else {}
        return {**self.config, **retention, "max.message.bytes": str(self.bytes_max)}


def compacted(kept_ms: int, replaced_ms: int, segment_bytes: int) -> dict[str, str]:
    """Returns the configuration of a topic that keeps each key's last record.

    A record that has been replaced stays for ``kept_ms``, and is gone ``replaced_ms`` after it
    was written. The last segment is never compacted, so it is small and soon closed.
    """
    return {
        **COMPRESSED,
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": str(kept_ms),
        "max.compaction.lag.ms": str(replaced_ms),
        "min.cleanable.dirty.ratio": "0.2",
        "segment.ms": str(HOUR_MS),
        "segment.bytes": str(segment_bytes),
        "retention.ms": "-1",
    }


TOPICS: Final[tuple[Topic, ...]] = (
    Topic(
        PAYMENT_COMMANDS,
        key="payment ID",
        value="a command: create, confirm, capture, cancel, refund; or an operator's release",
        written_by="ingress, reconciler (expiry), operator (release)",
        read_by="processor",
        config=LOG,
        is_log=True,
    ),
    Topic(
        PROVIDER_WEBHOOKS,
        key="payment ID",
        value="the verified webhook, as it came but for client secrets",
        written_by="ingress, router, reconciler",
        read_by="processor",
        config=LOG,
        is_log=True,
    ),
    Topic(
        PROVIDER_RESULTS,
        key="payment ID",
        value="the result of a provider call",
        written_by="provider calls",
        read_by="processor",
        config=LOG,
        is_log=True,
    ),
    Topic(
        PAYMENT_STATE,
        key="payment ID",
        value="one version of the payment",
        written_by="processor",
        read_by="downstream services",
        # a reader that is away for half a day still finds every version
        config=compacted(12 * HOUR_MS, 24 * HOUR_MS, 256 * 1024 * 1024),
    ),
    Topic(
        PAYMENT_OPERATIONS,
        key="payment ID",
        value="one change of a client's operation: applied, rejected, done or refused",
        written_by="processor",
        read_by="ingress, downstream services",
        config=LOG,
        is_log=True,
    ),
    Topic(
        PROVIDER_WEBHOOKS_UNROUTED,
        key="the provider's object ID",
        value="a verified webhook without a payment ID, or a notice, as it came but for client "
        "secrets",
        written_by="ingress",
        read_by="router",
        copartitioned=False,
        config=LOG,
        is_log=True,
    ),
    Topic(
        DEAD_LETTERS,
        key="of the original record",
        value="an undecodable record, unchanged; its position and the error are in headers",
        written_by="processor, router",
        read_by="operator",
        copartitioned=False,
        config={**LOG, "retention.ms": str(90 * DAY_MS)},
        bytes_max=DEAD_LETTER_BYTES_MAX,
    ),
)
_BYTES_MAX: Final = {topic.name: topic.bytes_max for topic in TOPICS}


def _bytes_max(topic: str) -> int:
    return _BYTES_MAX.get(topic, RECORD_BYTES_MAX)


def request_bytes_max(*topics: str) -> int:
    """Returns a producer's ``max_request_size`` for the largest record of these topics."""
    return max(map(_bytes_max, topics)) - ENVELOPE_BYTES


def fetching(*topics: str) -> dict[str, int]:
    """Returns a consumer's limits, with which the largest batch of these topics can be fetched."""
    return {
        "max_partition_fetch_bytes": max(map(_bytes_max, topics)),
        "fetch_max_bytes": FETCH_BYTES_MAX,
    }

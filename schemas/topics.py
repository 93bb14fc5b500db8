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

DAY_MS: Final = 24 * 60 * 60 * 1000
#: A record of any size that other topics take, and the headers that say why it is here.
DEAD_LETTER_BYTES_MAX: Final = 2 * 1024 * 1024
#: A batch of records once it is decompressed; what is larger ends as a dead letter, unread.
DECOMPRESSED_BYTES_MAX: Final = 16 * 1024 * 1024
#: A payment's snapshot; a payment that would be larger is held instead of committed.
SNAPSHOT_BYTES_MAX: Final = 1_000_000
#: The same as a record: with its key, its headers and what Kafka puts around it.
STATE_RECORD_BYTES_MAX: Final = 1_024 * 1_024
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
            "max.message.bytes": str(STATE_RECORD_BYTES_MAX),
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
        config={
            "retention.ms": str(90 * DAY_MS),
            "max.message.bytes": str(DEAD_LETTER_BYTES_MAX),
        },
    ),
)

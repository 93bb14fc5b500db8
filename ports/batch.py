"""A batch's read set and write set: plain rows between the pure fold and the SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from msgspec import Struct

from domain.calls import ProviderCall
from domain.decision import OperationChange
from domain.payment import Payment
from domain.status import OperationStatus, Outcome, Status
from ports.records import DeadLetter, DecodedInput, RecordOffset, refusal_id
from schemas.identity import public_operation_id


class InboxEntry(Struct, frozen=True):
    """An event ID of the inbox: the record that brought it, and its outcome."""

    position: RecordOffset
    outcome: Outcome
    publication_id: int | None


class ReadSet(Struct, frozen=True, kw_only=True):
    """What Postgres has of a batch, read under the locks of the batch's payments."""

    payments: Mapping[str, Payment]
    #: Of the batch, and of parked records that do not have their event's ID.
    known: Mapping[str, InboxEntry]
    quarantined: frozenset[str]
    #: By payment ID: the parked inputs that may be decided now, in the order they came.
    parked: Mapping[str, tuple[DecodedInput, ...]]
    #: Payment ID by (provider, provider's object ID).
    owners: Mapping[tuple[str, str], str]
    #: Payments whose stored rows can't be read, with the reason. Each is quarantined.
    unreadable: Mapping[str, str] = {}


@dataclass(slots=True, kw_only=True)
class InboxRow:
    """One input and its outcome."""

    received: DecodedInput
    outcome: Outcome
    reason: str
    version: int | None = None
    #: Whether it changed what became of a client's operation.
    changes_operations: bool = False
    #: The key of its row, if it exists already, as a waiting one.
    waits_as: str | None = None
    #: Refused for its binding or its form, or our own code failed on it: it does not use up its
    #: event ID, and is known by its record.
    apart: bool = False
    #: The ordinal of its decision in the batch; of several decisions, the last one.
    ordinal: int = 0

    @property
    def waiting(self) -> bool:
        """Whether its row exists already."""
        return self.waits_as is not None

    @property
    def event_id(self) -> str:
        """The key of the row in the inbox."""
        return refusal_id(self.received) if self.apart else self.received.event_id


#: Refunds and disputes of a payment of which every version is published.
PARTS_MAX: Final = 100


class VersionRow(Struct, frozen=True):
    """One new version of a payment, with the payment as of this version."""

    payment: Payment
    previous_status: Status | None
    event_id: str
    partition: int


class OperationRow(Struct, frozen=True):
    """One change of a client's operation. ``payment_id`` need not be of a payment that exists."""

    payment_id: str
    change: OperationChange
    partition: int

    @property
    def id(self) -> str:
        """The operation's ID, as clients know it."""
        return public_operation_id(self.payment_id, self.change.event_id)


@dataclass(slots=True, kw_only=True)
class WriteSet:
    """Everything that one batch writes, in one transaction."""

    inbox: list[InboxRow] = field(default_factory=list)
    duplicates: list[DecodedInput] = field(default_factory=list)
    #: Waiting rows that go, by key, each with its payment's ID: another record of their event was
    #: decided.
    superseded: dict[str, str] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    #: Webhooks that name another payment's object: the router sends them to that payment too.
    misrouted: list[DecodedInput] = field(default_factory=list)
    versions: list[VersionRow] = field(default_factory=list)
    #: In the order of the decisions; of one operation there may be several.
    operations: list[OperationRow] = field(default_factory=list)
    #: The last state of every payment that changed, by ID.
    payments: dict[str, Payment] = field(default_factory=dict)
    #: Each of those as Postgres has it; absent for a new payment.
    stored: dict[str, Payment] = field(default_factory=dict)
    #: Payment ID by (provider, object ID), for objects that this batch made known.
    identified: dict[tuple[str, str], str] = field(default_factory=dict)
    calls: list[ProviderCall] = field(default_factory=list)
    #: Keys of earlier calls that are to be made at once.
    urgent: set[str] = field(default_factory=set)
    #: Event IDs of the batch that are not used up: their records were refused, wait, or failed.
    open: set[str] = field(default_factory=set)
    #: Event IDs that another record of this batch has used up, with that record's offset.
    resolved: dict[str, RecordOffset] = field(default_factory=dict)
    #: Newly quarantined payments: the event our code failed on, and its error.
    quarantines: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Payments whose stored quarantine ends; ``quarantines`` may have a new one.
    released: set[str] = field(default_factory=set)
    #: Payments whose release failed: the release, and its error. The quarantine and its event stay.
    renewed: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Payments whose quarantine begins or ends, with their partitions. Their last version is
    #: published again, so that consumers see it.
    announced: dict[str, int] = field(default_factory=dict)
    #: Publications whose events were redelivered: a crash may have come before the publishing.
    redelivered: set[int] = field(default_factory=set)

    @property
    def published(self) -> list[VersionRow]:
        """The new versions to publish.

        Each repeats the whole payment. So of a payment with more than ``PARTS_MAX`` refunds and
        disputes only the last one is: a batch about it would be hundreds of megabytes.
        """
        return [
            v
            for v in self.versions
            if v.payment.parts <= PARTS_MAX
            or v.payment.version == self.payments[v.payment.id].version
        ]


class PublishableVersion(Struct, frozen=True, kw_only=True):
    """One record for ``payment-state``."""

    payment_id: str
    version: int
    partition: int
    at: datetime
    snapshot: bytes
    publication_id: int
    #: The payment is quarantined: what its provider says next is not in this version.
    quarantined: bool = False


class PublishableOperation(Struct, frozen=True, kw_only=True):
    """One record for ``payment-operations``. It follows the version that it led to, if any."""

    payment_id: str
    operation_id: str
    status: OperationStatus
    version: int | None
    partition: int
    at: datetime
    document: bytes
    publication_id: int


#: What is published after a batch's commit.
Publishable = PublishableVersion | PublishableOperation


def publication_order(record: Publishable) -> tuple[int, str, int, bool]:
    """Sorts by partition, payment and version; an operation's change follows its version."""
    is_operation = isinstance(record, PublishableOperation)
    return (record.partition, record.payment_id, record.version or 0, is_operation)


@dataclass(slots=True)
class CommittedBatch:
    """What is left to do after the commit: what to publish, events for the dedup table."""

    published: list[Publishable] = field(default_factory=list)
    #: Publications whose events were redelivered: a crash may have come before the publishing.
    redelivered: set[int] = field(default_factory=set)
    #: By event ID that Postgres knew before: the offset of the record that was processed.
    known: dict[str, RecordOffset] = field(default_factory=dict)
    #: Event IDs that are not used up.
    open: set[str] = field(default_factory=set)

    def add(self, other: "CommittedBatch") -> None:
        """Adds the result of another transaction of the same batch."""
        self.published += other.published
        self.redelivered |= other.redelivered
        self.known |= other.known
        self.open |= other.open

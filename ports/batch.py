"""What a batch knew and what it will write: plain rows between the pure fold and the SQL."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct

from domain.calls import ProviderCall
from domain.payment import Payment
from domain.status import Outcome, Status
from ports.records import DeadLetter, DecodedInput, RecordOffset, refusal_id


class InboxEntry(Struct, frozen=True):
    """An event ID the inbox has: the record that brought it, and what became of it."""

    position: RecordOffset
    outcome: Outcome
    publication_id: int | None


class ReadSet(Struct, frozen=True):
    """What Postgres knew of a batch, read under the locks of its payments."""

    payments: Mapping[str, Payment]
    known: Mapping[str, InboxEntry]
    quarantined: frozenset[str]
    #: By payment ID, of those that may be taken up now: what waited, in the order it came.
    parked: Mapping[str, tuple[DecodedInput, ...]]
    #: Payment ID by (provider, provider's object ID).
    owners: Mapping[tuple[str, str], str]
    #: By payment ID: why what is stored of it can't be read. It is quarantined.
    unreadable: Mapping[str, str] = {}


@dataclass(slots=True)
class InboxRow:
    """One input and what became of it. ``waiting``: the row is there already, and waits."""

    received: DecodedInput
    outcome: Outcome
    reason: str
    version: int | None = None
    waiting: bool = False
    #: Refused for its binding or its form: it does not use its event ID up.
    refused: bool = False
    #: The how manieth decision of its batch this is; the last one where there were several.
    ordinal: int = 0

    @property
    def event_id(self) -> str:
        """What the row is known by."""
        return refusal_id(self.received) if self.refused else self.received.event_id


class VersionRow(Struct, frozen=True):
    """One new version of a payment, with the payment as of then."""

    payment: Payment
    previous_status: Status | None
    event_id: str
    partition: int


@dataclass(slots=True)
class WriteSet:
    """Everything one batch will write, in one transaction."""

    inbox: list[InboxRow] = field(default_factory=list)
    duplicates: list[DecodedInput] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    #: Webhooks whose object is another payment's than they say: the router sends them there too.
    misrouted: list[DecodedInput] = field(default_factory=list)
    versions: list[VersionRow] = field(default_factory=list)
    #: The last state of every payment that changed, by ID.
    payments: dict[str, Payment] = field(default_factory=dict)
    #: The version each of those had in Postgres; absent for a new one.
    expected: dict[str, int] = field(default_factory=dict)
    calls: list[ProviderCall] = field(default_factory=list)
    #: Keys of calls asked for before that are to be made at once.
    urgent: set[str] = field(default_factory=set)
    #: Event IDs of the batch that no record has used up: what brought them was refused, or waits.
    open: set[str] = field(default_factory=set)
    #: Refused event IDs that another record used up since: where that record stands.
    resolved: dict[str, RecordOffset] = field(default_factory=dict)
    #: Newly quarantined payments: the event our code failed on, and its error.
    quarantines: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Payments whose stored quarantine ends; ``quarantines`` may have a new one.
    released: set[str] = field(default_factory=set)
    #: Payments whose release failed: the release, and its error. The quarantine and its event stay.
    renewed: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Payments that a quarantine begins or ends for, and their partitions: what is published of
    #: them says so, also where they have no new version.
    announced: dict[str, int] = field(default_factory=dict)
    #: Publications whose events came again: the mark of a crash before they were published.
    redelivered: set[int] = field(default_factory=set)


class PublishableVersion(Struct, frozen=True):
    """One record for ``payment-state``."""

    payment_id: str
    version: int
    partition: int
    at: datetime
    snapshot: bytes
    publication_id: int
    #: The payment is quarantined: what its provider says next is not in this version.
    quarantined: bool = False


@dataclass(slots=True)
class CommittedBatch:
    """What a committed batch leaves to do: publish these versions, remember these events."""

    published: list[PublishableVersion] = field(default_factory=list)
    #: Publications whose events came again: the mark of a crash before they were published.
    redelivered: set[int] = field(default_factory=set)
    #: Where the events that Postgres knew already stood when they were processed, by event ID.
    known: dict[str, RecordOffset] = field(default_factory=dict)
    #: Event IDs that no record has used up.
    open: set[str] = field(default_factory=set)

    def add(self, other: "CommittedBatch") -> None:
        """Takes in what another transaction of the same batch left to do."""
        self.published += other.published
        self.redelivered |= other.redelivered
        self.known |= other.known
        self.open |= other.open

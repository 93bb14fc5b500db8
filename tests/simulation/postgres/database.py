"""The tables of Postgres in memory: committed rows, unique keys and constraints."""

import itertools
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from domain.status import Outcome, Status
from domain.transitions import is_allowed, is_final
from ports.batch import PublishableOperation, PublishableVersion
from ports.provider import ListCursor
from ports.records import DecodedInput, RecordOffset
from ports.work_items import Look, UnroutedWebhook
from tests.simulation.postgres.locks import Locks
from tests.simulation.process import Process


class RowRefusedError(Exception):
    """A constraint or trigger rejects a row. Not retryable: our code is wrong."""


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A row of payments."""

    payment_id: str
    tenant: str
    provider: str
    object_id: str | None
    status: Status
    version: int
    amount: int
    authorized: int
    captured: int
    refunded: int
    expires_at: datetime
    updated_at: datetime
    is_cancelling: bool
    document: str

    def check(self, before: "PaymentRow | None") -> None:
        """Checks the table's constraints and triggers. Raises RowRefusedError."""
        if not 0 <= self.refunded <= self.captured <= self.authorized:
            raise RowRefusedError(f"amounts_add_up: {self}")
        if before is None:
            return
        if is_final(before.status) and self.status is not before.status:
            raise RowRefusedError(f"final_status_never_changes: {before.status} to {self.status}")
        if self.version < before.version:
            raise RowRefusedError(f"version_never_goes_back: {before.version} to {self.version}")


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A row of payment_versions, and the version as published."""

    previous_status: Status | None
    status: Status
    event_id: str
    published: PublishableVersion

    def check(self) -> None:
        """The constraints and triggers of the table. Raises RowRefusedError."""
        before, version = self.previous_status, self.published.version
        if (version == 1) != (before is None):
            raise RowRefusedError(f"first_version_has_no_past: {version}, {before}")
        if before not in {None, self.status} and not is_allowed(before, self.status):
            raise RowRefusedError(f"only_allowed_transitions: {before} to {self.status}")


@dataclass(frozen=True, slots=True)
class UnpublishedRow:
    """A row of publications that is not marked, its versions and its operations."""

    partition: int
    versions: tuple[PublishableVersion, ...]
    operations: tuple[PublishableOperation, ...] = ()


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A row of inbox."""

    received: DecodedInput
    outcome: Outcome
    reason: str
    version: int | None
    publication_id: int | None
    recorded_at: datetime
    #: The order of decisions.
    decided: int


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """A row of quarantines."""

    event_id: str
    error: str
    quarantined_at: datetime
    failed_release: str | None = None


@dataclass(slots=True)
class CallRow:
    """A row of provider_calls."""

    request: str
    provider: str
    created_at: datetime
    next_attempt_at: datetime
    attempts: int = 0
    generation: int = 0
    key_first_used_at: datetime | None = None
    outcome: str | None = None
    error: str | None = None
    sent: bytes | None = None


@dataclass(slots=True)
class Database:
    """Every table, by its primary key, and the locks."""

    locks: Locks = field(default_factory=Locks)
    #: By the operation's ID: its last change.
    operations: dict[str, PublishableOperation] = field(default_factory=dict)
    payments: dict[str, PaymentRow] = field(default_factory=dict)
    #: The unique key one_payment_per_object.
    owners: dict[tuple[str, str], str] = field(default_factory=dict)
    versions: dict[str, list[VersionRow]] = field(default_factory=dict)
    inbox: dict[str, InboxRow] = field(default_factory=dict)
    duplicates: dict[RecordOffset, DecodedInput] = field(default_factory=dict)
    dead_letters: dict[RecordOffset, str] = field(default_factory=dict)
    quarantines: dict[str, QuarantineRow] = field(default_factory=dict)
    calls: dict[str, CallRow] = field(default_factory=dict)
    #: By publication ID, in order.
    unpublished: dict[int, UnpublishedRow] = field(default_factory=dict)
    unrouted: dict[str, tuple[datetime, UnroutedWebhook]] = field(default_factory=dict)
    #: By event ID of a webhook that matches no payment: the reason.
    ignored: dict[str, str] = field(default_factory=dict)
    cursors: dict[str, ListCursor] = field(default_factory=dict)
    #: How often each list of parts was read to its end, by its cursor's name.
    part_readings: Counter[str] = field(default_factory=Counter)
    #: Event IDs.
    published_parts: set[str] = field(default_factory=set)
    #: By payment ID, its provider, its object, and the last look at it.
    looks: dict[str, tuple[str, str, Look]] = field(default_factory=dict)
    #: The holder of the reconciler's advisory lock.
    leader: Process | None = None
    #: The end of the outage, in the loop's time.
    out_until: float = 0.0
    #: By payment ID, the first version whose rows are rejected until the fault is removed.
    poisoned: dict[str, int] = field(default_factory=dict)
    is_mended: bool = False
    publication_ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    decision_batches: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def refuses(self, payment_id: str, version: int) -> bool:
        """Whether this version's rows are rejected."""
        first = self.poisoned.get(payment_id)
        return first is not None and version >= first and not self.is_mended

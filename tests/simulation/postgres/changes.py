"""The pending changes of one transaction, and their atomic commit."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from domain.calls import ProviderCall
from ports import batch
from ports.records import DeadLetter, DecodedInput, refusal_id
from ports.work_items import UnroutedWebhook
from postgres.documents import encode_call
from tests.simulation.clock import EPOCH
from tests.simulation.postgres.database import (
    CallRow,
    Database,
    InboxRow,
    PaymentRow,
    QuarantineRow,
    UnpublishedRow,
    VersionRow,
)


@dataclass(slots=True)
class Changes:
    """Rows to write."""

    now: datetime = EPOCH
    payments: dict[str, PaymentRow] = field(default_factory=dict)
    versions: list[VersionRow] = field(default_factory=list)
    #: Earlier versions that are published again.
    announced: Sequence[batch.PublishableVersion] = ()
    #: In the order of the decisions.
    operations: Sequence[batch.PublishableOperation] = ()
    inbox: dict[str, InboxRow] = field(default_factory=dict)
    #: The inbox rows in the order in which the fold decided them.
    order: Sequence[batch.InboxRow] = ()
    #: Former keys of rows whose key changes.
    renamed: list[str] = field(default_factory=list)
    superseded: Collection[str] = ()
    duplicates: Sequence[DecodedInput] = ()
    dead_letters: Sequence[DeadLetter] = ()
    #: Each with the payment that refused it.
    misrouted: Sequence[tuple[str, UnroutedWebhook]] = ()
    quarantines: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    released: frozenset[str] = frozenset()
    renewed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    calls: Sequence[ProviderCall] = ()
    #: By key of an earlier call: the latest time at which it is due.
    urgent: Mapping[str, datetime] = field(default_factory=dict)
    #: Partition by publication ID.
    publications: Mapping[int, int] = field(default_factory=dict)

    def commit(self, database: Database) -> None:
        """Commits all changes atomically."""
        for row in self.payments.values():
            database.payments[row.payment_id] = row
            if row.object_id is not None:
                database.owners[row.provider, row.object_id] = row.payment_id
        for version in self.versions:
            database.versions.setdefault(version.published.payment_id, []).append(version)
        self._record(database)
        for payment_id in self.released:
            del database.quarantines[payment_id]
        for payment_id, (release_id, error) in self.renewed.items():
            quarantined_for = database.quarantines[payment_id].event_id
            database.quarantines[payment_id] = QuarantineRow(
                quarantined_for, error, self.now, release_id
            )
        for payment_id, (event_id, error) in self.quarantines.items():
            database.quarantines.setdefault(payment_id, QuarantineRow(event_id, error, self.now))
        for call in self.calls:
            database.calls[call.key] = CallRow(encode_call(call), call.provider, self.now, self.now)
        self._hurry(database)
        for announced in self.announced:
            self._withdraw(database, announced)
        published = [*(row.published for row in self.versions), *self.announced]
        for publication_id, partition in self.publications.items():
            versions = tuple(p for p in published if p.publication_id == publication_id)
            changed = tuple(o for o in self.operations if o.publication_id == publication_id)
            database.unpublished[publication_id] = UnpublishedRow(partition, versions, changed)
        database.operations.update((o.operation_id, o) for o in self.operations)

    def _withdraw(self, database: Database, announced: batch.PublishableVersion) -> None:
        moved = (announced.payment_id, announced.version)
        for publication_id, row in list(database.unpublished.items()):
            left = tuple(v for v in row.versions if (v.payment_id, v.version) != moved)
            database.unpublished[publication_id] = replace(row, versions=left)
            if not (left or row.operations):
                del database.unpublished[publication_id]

    def _hurry(self, database: Database) -> None:
        for key, at in self.urgent.items():
            row = database.calls[key]
            if row.outcome is None and row.attempts:
                row.next_attempt_at = min(row.next_attempt_at, at)

    def _record(self, database: Database) -> None:
        for letter in self.dead_letters:
            database.dead_letters.setdefault(letter.record.position, letter.error)
        for refused_by, webhook in self.misrouted:
            _, waits = database.unrouted.get(webhook.event_id, (None, None))
            if waits is None or waits.payment_id == refused_by:
                database.unrouted[webhook.event_id] = (self.now, webhook)
        for event_id in (*self.superseded, *self.renamed):
            del database.inbox[event_id]
        database.inbox.update(self.inbox)
        for row in self.order:
            if row.apart:
                database.duplicates.pop(row.received.record.position, None)
        for received in self.duplicates:
            if refusal_id(received) not in database.inbox:
                database.duplicates.setdefault(received.record.position, received)

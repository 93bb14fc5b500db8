"""Protocols of what the stream and the worker need: stores, publisher, table, sender.

A store that is not available raises StoreUnavailableError. A unique key that another transaction
has taken raises KeyTakenError. Both are retryable.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from domain.payment import Payment
from ports.batch import Publishable, PublishableVersion, ReadSet, WriteSet
from ports.producer_record import ProducerRecord
from ports.provider import ListCursor
from ports.records import DecodedInput
from ports.work_items import (
    ClaimedCall,
    DueNotice,
    DuePayment,
    Followed,
    IgnoredWebhook,
    KeptNotice,
    Look,
    LookUpShare,
    PlannedLook,
    UnroutedWebhook,
    WaitingRecord,
)


class Transaction(Protocol):
    """One transaction of a batch: all of it is written, or nothing."""

    async def load(self, batch: Sequence[DecodedInput]) -> ReadSet:
        """Returns the read set. Locks payments and partitions until the transaction ends."""
        ...

    async def write(self, plan: WriteSet, now: datetime) -> list[Publishable]:
        """Writes the plan. Returns what to publish.

        Raises BatchConflictError or SnapshotTooLargeError.
        """
        ...


class BatchStore(Protocol):
    """Payments, inbox and publications. It decides what was processed."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Opens a transaction. It is committed when the block ends without an error."""
        ...

    async def unpublished(
        self, *, publication_ids: Iterable[int] = (), partitions: Iterable[int] = ()
    ) -> list[Publishable]:
        """Returns what is committed and may not have been published, of these."""
        ...

    async def quarantine_unpublishable(
        self, versions: Sequence[PublishableVersion], now: datetime
    ) -> None:
        """Quarantines the payments of versions that can't be published."""
        ...

    async def mark_published(self, publication_ids: Iterable[int], now: datetime) -> None:
        """Marks these publications as published."""
        ...


class UnreadStore(Protocol):
    """Inputs that were not read as they came, because their account was not known."""

    async def unread_inputs(self, partitions: Collection[int]) -> Mapping[str, int]:
        """Returns how many of them wait in these partitions, by account."""
        ...

    async def first_unread(
        self, accounts: Sequence[str], partitions: Collection[int], limit: int
    ) -> Sequence[WaitingRecord]:
        """Returns one of each payment that is here and not quarantined, of these accounts."""
        ...


class TransactionalPublisher(Protocol):
    """Publishes versions and changes of operations, one transaction per partition."""

    async def assign(self, partitions: Iterable[int]) -> None:
        """Takes exactly these partitions and fences former owners. Raises PublishError."""
        ...

    async def publish(self, records: Sequence[Publishable]) -> None:
        """Returns once the brokers have all. Raises FencedError, PublishError."""
        ...


class TableEntries(Protocol):
    """The local entries of a changelog table, by partition; keys and values are bytes."""

    def get(self, partition: int, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Returns the values of the keys that exist."""
        ...

    def walk(self, partition: int, after: bytes, limit: int) -> Sequence[tuple[bytes, bytes]]:
        """Returns up to ``limit`` entries with keys after ``after``; fewer at the end."""
        ...

    async def put(self, partition: int, changes: Mapping[bytes, bytes | None]) -> None:
        """Writes values; None deletes. Takes effect here at once, in the changelog later."""
        ...


class RecordSender(Protocol):
    """Sends every other record."""

    async def send(self, records: Sequence[ProducerRecord]) -> None:
        """Returns once the brokers have all. Raises PublishError; then their fate is unknown."""
        ...


class Outbox(Protocol):
    """The outbox: provider calls to make, and their outcomes."""

    async def claim(
        self,
        provider: str,
        limit: int,
        now: datetime,
        lease_until: datetime,
        look_ups: LookUpShare | None = None,
    ) -> list[ClaimedCall]:
        """Claims due calls until ``lease_until``; no other worker gets the same ones.

        ``look_ups`` is how many of them may be looked up; None: any number.
        """
        ...

    async def renew(self, claimed: ClaimedCall, lease_until: datetime) -> bool:
        """Extends the claim. Returns whether it was still this worker's."""
        ...

    async def freeze(self, claimed: ClaimedCall, sent: bytes) -> bool:
        """Keeps the request that every try sends. Returns whether it was this worker's claim."""
        ...

    async def finish(self, claimed: ClaimedCall, outcome: str, now: datetime) -> bool:
        """Ends a call whose result is published. Returns whether it was this worker's."""
        ...

    async def retry(self, claimed: ClaimedCall, at: datetime, error: str) -> bool:
        """Makes the call due again under the same key. Returns whether it was this worker's."""
        ...

    async def retry_with_new_key(self, claimed: ClaimedCall, at: datetime, error: str) -> bool:
        """Makes a call that certainly did not happen due again, under its next key.

        Returns whether it was this worker's.
        """
        ...


class RoutingStore(Protocol):
    """Webhooks without a payment ID, and the payments of the providers' objects."""

    async def owners(self, objects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Returns payment IDs by (provider, object ID), for the objects that are known."""
        ...

    async def park(self, waiting: Sequence[UnroutedWebhook], now: datetime) -> None:
        """Stores webhooks until their payments are known."""
        ...

    async def keep_notices(self, kept: Sequence[KeptNotice], now: datetime) -> None:
        """Stores notices, to be followed from now on. One that was stored stays as it is."""
        ...

    async def ignore(self, ignored: Sequence[IgnoredWebhook], now: datetime) -> None:
        """Records webhooks that belong to no payment, with the reason."""
        ...

    async def ignore_waiting(self, ignored: Sequence[IgnoredWebhook], now: datetime) -> None:
        """Records those that waited in vain, and deletes them.

        One that waits for another payment by now, or has one, goes on waiting.
        """
        ...

    async def mark_missed(self, stored_since: datetime) -> None:
        """Makes webhooks routable that were stored at the same moment as their payment's object."""
        ...

    async def routable(self, limit: int) -> list[UnroutedWebhook]:
        """Returns stored webhooks whose payment is known now, oldest first."""
        ...

    async def expired(
        self, before: datetime, limit: int, accounts: Sequence[str]
    ) -> list[UnroutedWebhook]:
        """Returns webhooks of these accounts that were stored before then, oldest first."""
        ...

    async def delete_unrouted(self, ended: Sequence[UnroutedWebhook]) -> None:
        """Deletes webhooks that were sent on or ended.

        One that waits for another payment by now goes on waiting.
        """
        ...


class SweepStore(Protocol):
    """What the reconciler reads, and how far it has come."""

    async def now(self) -> datetime:
        """Returns the time by the store's clock."""
        ...

    async def read_cursor(self, name: str) -> ListCursor | None:
        """Returns the last event read from this list, or None.

        A provider's name is that of its event list. A list of parts has its provider's and its own.
        """
        ...

    async def write_cursor(
        self,
        name: str,
        event_id: str,
        now: datetime,
        at: datetime | None = None,
        published: Sequence[str] = (),
    ) -> None:
        """Records that everything up to this event, which happened then, is published.

        Of a list of parts it is the last part that was read, and when the reading began. With it
        the event IDs of the parts that were published are noted, for ``known_events``.
        """
        ...

    async def plan_looks(
        self, silent_since: datetime, now: datetime, after: str, limit: int
    ) -> str | None:
        """Plans a look at each payment of a page that changed since its last one, or had none.

        The page has unfinished payments without news since ``silent_since``, ordered by payment
        ID, from after ``after``. Returns its last payment ID, or None if it was the last page.
        """
        ...

    async def due_looks(self, provider: str, now: datetime, limit: int) -> Sequence[PlannedLook]:
        """Returns the looks at this provider's objects that are due, the longest due first."""
        ...

    async def note_looks(self, looks: Sequence[Look]) -> None:
        """Notes looks that were taken, each with the time of the next one."""
        ...

    async def owners_with_payments(
        self, provider: str, objects: Sequence[str]
    ) -> Mapping[str, tuple[str, Payment | None]]:
        """Returns the payments that have these objects, by object, each with its ID.

        None is a payment whose stored document can't be decoded.
        """
        ...

    async def known_events(self, event_ids: Sequence[str]) -> AbstractSet[str]:
        """Returns those of these event IDs that have an outcome, or were noted as published."""
        ...

    async def end_looks(self, payment_ids: Sequence[str]) -> None:
        """Ends the looks at payments that can't change any more."""
        ...

    async def expired(
        self, now: datetime, after: DuePayment | None, limit: int
    ) -> list[DuePayment]:
        """Returns payments whose time to act is over, the earliest first, from after ``after``."""
        ...

    async def gauges(self) -> list[tuple[str, int, datetime | None]]:
        """Returns (what, how many, time of the oldest) of everything that waits."""
        ...

    async def of_unknown_accounts(
        self, calls: Sequence[str], webhooks: Sequence[str]
    ) -> list[tuple[str, str, int]]:
        """Returns (account, what, how many) of calls and webhooks of all accounts but these."""
        ...


class NoticeStore(Protocol):
    """Notices that are to be followed, and what following them asks of other sweeps."""

    async def due_notices(self, provider: str, now: datetime, limit: int) -> list[DueNotice]:
        """Returns the notices of this account that are due, the longest due first."""
        ...

    async def retry_notice(self, event_id: str, at: datetime, error: str) -> None:
        """Makes a notice due again, whose content could not be had."""
        ...

    async def end_notice(self, followed: Followed, now: datetime) -> str:
        """Ends a notice, and makes due what it asks for. All of it is written, or nothing.

        Returns its outcome. An object that no payment has is ignored.
        """
        ...

    async def reread_from(self, provider: str) -> ListCursor | None:
        """Returns from when on the event list is to be read again, and whose wish that is."""
        ...

    async def end_rereading(self, provider: str, wish: ListCursor) -> None:
        """Notes that the event list was read again. A wish that came meanwhile stays."""
        ...


class HistoryStore(Protocol):
    """Old inputs and their outcomes."""

    #: The tables with history that is deleted row by row.
    histories: Sequence[str]
    #: Those of which whole partitions are dropped, unless the retention is shorter than one.
    partitioned: Sequence[str]

    async def make_partitions(self, now: datetime) -> None:
        """Makes the partitions for rows that are recorded from now on."""
        ...

    async def drop_partitions(self, before: datetime) -> Sequence[tuple[str, int]]:
        """Drops partitions with nothing recorded since then.

        Returns each one's table and about how many rows it had.
        """
        ...

    async def give_up_parked(self, before: datetime, limit: int) -> int:
        """Ends inputs parked before then whose payment never came. Returns how many."""
        ...

    async def delete_history(self, table: str, before: datetime, limit: int) -> int:
        """Deletes up to ``limit`` rows recorded before then, oldest first. Returns how many."""
        ...

"""What the processor needs of the world outside, as protocols; ``__main__`` wires the real ones.

The programs decide when and in which order things happen, and know nothing of SQL. Whatever a
store can't do at the moment is a StoreUnavailableError; a key that somebody else's transaction has
taken is a KeyTakenError. Both may be tried again.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from ports.batch import PublishableVersion, ReadSet, WriteSet
from ports.producer_record import ProducerRecord
from ports.records import DecodedInput
from ports.work_items import ClaimedCall, IgnoredWebhook, UnroutedWebhook


class Transaction(Protocol):
    """One transaction of a batch: everything in it is written, or nothing."""

    async def load(self, batch: Sequence[DecodedInput]) -> ReadSet:
        """What is known of a batch's payments and events. Locks the payments until the end."""
        ...

    async def write(self, plan: WriteSet, now: datetime) -> list[PublishableVersion]:
        """Writes the plan; answers what has to be published. Raises BatchConflictError."""
        ...


class BatchStore(Protocol):
    """The authority on what was processed."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction, committed where the block ends well."""
        ...

    async def unpublished(
        self, *, publication_ids: Iterable[int] = (), partitions: Iterable[int] = ()
    ) -> list[PublishableVersion]:
        """What was committed and may not have been published, of these."""
        ...

    async def quarantine_unpublishable(
        self, versions: Sequence[PublishableVersion], now: datetime
    ) -> None:
        """Quarantines the payments of versions that can't be published, for an operator to see."""
        ...

    async def mark_published(self, publication_ids: Iterable[int], now: datetime) -> None:
        """Notes that the brokers have all of these."""
        ...


class TransactionalPublisher(Protocol):
    """Where new versions go."""

    async def assign(self, partitions: Iterable[int]) -> None:
        """Has exactly these partitions: fences their former owners. Raises PublishError."""
        ...

    async def publish(self, records: Sequence[PublishableVersion]) -> None:
        """Returns once the brokers have all. Raises FencedError, PublishError."""
        ...


class TableEntries(Protocol):
    """A changelog table's entries on this machine, by partition; keys and values are bytes."""

    def get(self, partition: int, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """The values of those keys that are there."""
        ...

    def walk(self, partition: int, after: bytes, limit: int) -> Sequence[tuple[bytes, bytes]]:
        """Up to ``limit`` entries whose keys come after ``after``; fewer at the end."""
        ...

    async def put(self, partition: int, changes: Mapping[bytes, bytes | None]) -> None:
        """Writes values, None deletes: here at once, and in the changelog soon."""
        ...


class RecordSender(Protocol):
    """Where everything else goes."""

    async def send(self, records: Sequence[ProducerRecord]) -> None:
        """Returns once the brokers have all. Raises PublishError; then their fate is unknown."""
        ...


class Outbox(Protocol):
    """The provider calls written down, and what became of them."""

    async def claim(
        self, providers: Sequence[str], limit: int, now: datetime, lease_until: datetime
    ) -> list[ClaimedCall]:
        """Due calls, claimed until ``lease_until``; nobody else gets the same."""
        ...

    async def renew(self, claimed: ClaimedCall, lease_until: datetime) -> bool:
        """The claim lasts until then. Whether it is ours still."""
        ...

    async def finish(self, claimed: ClaimedCall, outcome: str, now: datetime) -> bool:
        """The call has come to something, and its result is published. Whether it was ours."""
        ...

    async def retry(self, claimed: ClaimedCall, at: datetime, error: str) -> bool:
        """The call is due again then, under the same key. Whether it was ours still."""
        ...

    async def retry_with_new_key(self, claimed: ClaimedCall, at: datetime, error: str) -> bool:
        """The call certainly did not happen: it is due again then, under the next key.

        Whether it was ours still.
        """
        ...


class RoutingStore(Protocol):
    """Webhooks without a payment ID, and whose the provider's objects are."""

    async def owners(self, objects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Payment ID by (provider, object ID), of those that are known."""
        ...

    async def park(self, waiting: Sequence[UnroutedWebhook], now: datetime) -> None:
        """Keeps webhooks until their payments are known."""
        ...

    async def ignore(self, ignored: Sequence[IgnoredWebhook], now: datetime) -> None:
        """Notes what became of webhooks that are nobody's."""
        ...

    async def routable(self, limit: int) -> list[UnroutedWebhook]:
        """Kept webhooks whose payment is known now, oldest first."""
        ...

    async def expired(self, before: datetime, limit: int) -> list[UnroutedWebhook]:
        """Webhooks kept since before then, oldest first."""
        ...

    async def forget(self, event_ids: Sequence[str]) -> None:
        """They are on their way."""
        ...


class SweepStore(Protocol):
    """What the reconciler reads and remembers."""

    async def read_cursor(self, provider: str) -> str | None:
        """The last event read from this provider's list."""
        ...

    async def write_cursor(self, provider: str, event_id: str, now: datetime) -> None:
        """Everything up to this event is published."""
        ...

    async def unfinished(
        self, silent_since: datetime, after: str, limit: int
    ) -> list[tuple[str, str, str]]:
        """(payment ID, provider, object ID) of payments neither final nor heard of since then."""
        ...

    async def expired(self, now: datetime, limit: int) -> list[tuple[str, str, int]]:
        """(payment ID, tenant, version) of payments nobody acted on in time."""
        ...

    async def gauges(self) -> list[tuple[str, int, datetime | None]]:
        """(what, how many, since when the oldest) of everything that should not wait for long."""
        ...


class HistoryStore(Protocol):
    """What became of old inputs."""

    #: The names of what there is to forget.
    histories: Sequence[str]

    async def give_up_parked(self, before: datetime, limit: int) -> int:
        """Ends inputs parked before then whose payment never came; how many."""
        ...

    async def forget_history(self, table: str, before: datetime, limit: int) -> int:
        """Deletes rows recorded before then, the oldest first; how many."""
        ...

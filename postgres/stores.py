"""The stores of ``ports.stores`` in Postgres, with its errors translated into ours."""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg_pool import AsyncConnectionPool

from domain.payment import Payment
from ports.batch import Publishable, PublishableVersion, ReadSet, WriteSet
from ports.errors import KeyTakenError, StoreUnavailableError
from ports.provider import ListCursor
from ports.records import Decode, DecodedInput
from ports.work_items import (
    ClaimedCall,
    DuePayment,
    IgnoredWebhook,
    KeptNotice,
    Look,
    LookUpShare,
    PlannedLook,
    UnroutedWebhook,
    WaitingRecord,
)
from postgres import history, looks, outbox, partitions, routing, unknown_accounts
from postgres.batch import transaction as batch
from postgres.batch import unpublished
from postgres.batch.transaction import Connection

Pool = AsyncConnectionPool[Any]
#: The first version that can limit a whole transaction; before it, only the pauses inside one.
_LIMITS_WHOLE_TRANSACTIONS: Final = 170_000


def limit_transactions(longest_s: float) -> Callable[[Connection], Awaitable[None]]:
    """Returns a ``configure`` for a pool: a transaction longer than ``longest_s`` seconds is ended.

    Its session ends with it. Otherwise a worker that is suspended or cut off inside a transaction
    would keep its locks, and the next owner of its partitions would wait for them.
    """

    async def configure(connection: Connection) -> None:
        limit = f"{max(1, round(longest_s * 1000))}ms"
        whole = connection.info.server_version >= _LIMITS_WHOLE_TRANSACTIONS
        name = "transaction_timeout" if whole else "idle_in_transaction_session_timeout"
        await connection.execute("select set_config(%s, %s, false)", [name, limit])
        await connection.commit()

    return configure


async def probe(pool: Pool, timeout_s: float) -> None:
    """Returns once Postgres has answered. Raises psycopg.Error, PoolTimeout."""
    async with pool.connection(timeout_s) as connection:
        await connection.execute("select 1")


@asynccontextmanager
async def for_one_statement(pool: Pool) -> AsyncIterator[Connection]:
    """Yields a connection whose statements are transactions of their own.

    For methods of one statement: it saves the server a begin and a commit, which cost more than a
    poll that finds nothing. Raises StoreUnavailableError, KeyTakenError.
    """
    async with connected(pool) as connection:
        await connection.set_autocommit(True)
        try:
            yield connection
        finally:
            await connection.set_autocommit(False)


@asynccontextmanager
async def connected(pool: Pool) -> AsyncIterator[Connection]:
    """Yields a connection. Commits when the block ends, and rolls back when it raises.

    Raises StoreUnavailableError, KeyTakenError.
    """
    try:
        async with pool.connection() as connection:
            yield connection
    except (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.TransactionTimeout,
        psycopg.errors.IdleInTransactionSessionTimeout,
    ) as error:
        raise StoreUnavailableError(f"Postgres: {error}") from error
    except psycopg.errors.UniqueViolation as error:
        raise KeyTakenError(f"Postgres: {error}") from error


class PostgresTransaction:
    """A ``Transaction``."""

    def __init__(self, connection: Connection, decode: Decode) -> None:
        self._connection = connection
        self._decode = decode

    async def load(self, received: Sequence[DecodedInput]) -> ReadSet:
        """See ``Transaction.load``."""
        return await batch.load(self._connection, received, self._decode)

    async def write(self, plan: WriteSet, now: datetime) -> list[Publishable]:
        """See ``Transaction.write``."""
        return await batch.write(self._connection, plan, now)


class PostgresBatches:
    """A ``BatchStore``. ``decode`` turns parked records into inputs again."""

    def __init__(self, pool: Pool, decode: Decode) -> None:
        self._pool = pool
        self._decode = decode

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """See ``BatchStore.transaction``."""
        async with connected(self._pool) as connection:
            yield PostgresTransaction(connection, self._decode)

    async def unpublished(
        self, *, publication_ids: Iterable[int] = (), partitions: Iterable[int] = ()
    ) -> list[Publishable]:
        """See ``BatchStore.unpublished``."""
        async with connected(self._pool) as connection:
            return await unpublished.unpublished(
                connection, publication_ids=publication_ids, partitions=partitions
            )

    async def quarantine_unpublishable(
        self, versions: Sequence[PublishableVersion], now: datetime
    ) -> None:
        """See ``BatchStore.quarantine_unpublishable``."""
        async with connected(self._pool) as connection:
            await unpublished.quarantine_unpublishable(connection, versions, now)

    async def mark_published(self, publication_ids: Iterable[int], now: datetime) -> None:
        """See ``BatchStore.mark_published``."""
        async with connected(self._pool) as connection:
            await unpublished.mark_published(connection, publication_ids, now)


class PostgresUnread:
    """A ``UnreadStore``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def unread_inputs(self, partitions: Collection[int]) -> Mapping[str, int]:
        """See ``UnreadStore.unread_inputs``."""
        async with for_one_statement(self._pool) as connection:
            return await unknown_accounts.unread_inputs(connection, list(partitions))

    async def first_unread(
        self, accounts: Sequence[str], partitions: Collection[int], limit: int
    ) -> Sequence[WaitingRecord]:
        """See ``UnreadStore.first_unread``."""
        async with for_one_statement(self._pool) as connection:
            return await unknown_accounts.first_unread(
                connection, accounts, list(partitions), limit
            )


class PostgresOutbox:
    """A ``Outbox``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(
        self,
        provider: str,
        limit: int,
        now: datetime,
        lease_until: datetime,
        look_ups: LookUpShare | None = None,
    ) -> list[ClaimedCall]:
        """See ``Outbox.claim``."""
        async with for_one_statement(self._pool) as connection:
            return await outbox.claim(connection, provider, limit, now, lease_until, look_ups)

    async def renew(self, claimed: ClaimedCall, lease_until: datetime) -> bool:
        """See ``Outbox.renew``."""
        async with for_one_statement(self._pool) as connection:
            return await outbox.renew(connection, claimed, lease_until)

    async def freeze(self, claimed: ClaimedCall, sent: bytes) -> bool:
        """See ``Outbox.freeze``."""
        async with for_one_statement(self._pool) as connection:
            return await outbox.freeze(connection, claimed, sent)

    async def finish(self, claimed: ClaimedCall, outcome: str, now: datetime) -> bool:
        """See ``Outbox.finish``."""
        async with for_one_statement(self._pool) as connection:
            return await outbox.finish(connection, claimed, outcome, now)

    async def retry(self, claimed: ClaimedCall, at: datetime, error: str) -> bool:
        """See ``Outbox.retry``."""
        async with for_one_statement(self._pool) as connection:
            return await outbox.retry(connection, claimed, at, error)

    async def retry_with_new_key(self, claimed: ClaimedCall, at: datetime, error: str) -> bool:
        """See ``Outbox.retry_with_new_key``."""
        async with for_one_statement(self._pool) as connection:
            return await outbox.retry_with_new_key(connection, claimed, at, error)


class PostgresRouting:
    """A ``RoutingStore``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def owners(self, objects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """See ``RoutingStore.owners``."""
        async with for_one_statement(self._pool) as connection:
            return await routing.owners(connection, objects)

    async def park(self, waiting: Sequence[UnroutedWebhook], now: datetime) -> None:
        """See ``RoutingStore.park``."""
        async with for_one_statement(self._pool) as connection:
            await routing.park_unrouted(connection, waiting, now)

    async def keep_notices(self, kept: Sequence[KeptNotice], now: datetime) -> None:
        """See ``RoutingStore.keep_notices``."""
        async with for_one_statement(self._pool) as connection:
            await routing.keep_notices(connection, kept, now)

    async def ignore(self, ignored: Sequence[IgnoredWebhook], now: datetime) -> None:
        """See ``RoutingStore.ignore``."""
        async with for_one_statement(self._pool) as connection:
            await routing.record_ignored(connection, ignored, now)

    async def ignore_waiting(self, ignored: Sequence[IgnoredWebhook], now: datetime) -> None:
        """See ``RoutingStore.ignore_waiting``."""
        async with for_one_statement(self._pool) as connection:
            await routing.ignore_waiting(connection, ignored, now)

    async def mark_missed(self, stored_since: datetime) -> None:
        """See ``RoutingStore.mark_missed``."""
        async with for_one_statement(self._pool) as connection:
            await routing.mark_missed(connection, stored_since)

    async def routable(self, limit: int) -> list[UnroutedWebhook]:
        """See ``RoutingStore.routable``."""
        async with for_one_statement(self._pool) as connection:
            return await routing.routable(connection, limit)

    async def expired(
        self, before: datetime, limit: int, accounts: Sequence[str]
    ) -> list[UnroutedWebhook]:
        """See ``RoutingStore.expired``."""
        async with for_one_statement(self._pool) as connection:
            return await routing.expired_unrouted(connection, before, limit, accounts)

    async def delete_unrouted(self, ended: Sequence[UnroutedWebhook]) -> None:
        """See ``RoutingStore.delete_unrouted``."""
        async with for_one_statement(self._pool) as connection:
            await routing.delete_unrouted(connection, ended)


class PostgresSweeps:
    """A ``SweepStore``."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def now(self) -> datetime:
        """See ``SweepStore.now``."""
        async with for_one_statement(self._pool) as connection:
            return await routing.now(connection)

    async def read_cursor(self, name: str) -> ListCursor | None:
        """See ``SweepStore.read_cursor``."""
        async with connected(self._pool) as connection:
            return await routing.read_cursor(connection, name)

    async def write_cursor(
        self,
        name: str,
        event_id: str,
        now: datetime,
        at: datetime | None = None,
        published: Sequence[str] = (),
    ) -> None:
        """See ``SweepStore.write_cursor``."""
        async with connected(self._pool) as connection:
            await routing.write_cursor(connection, name, event_id, now, at)
            await looks.note_published(connection, published, now)

    async def plan_looks(
        self, silent_since: datetime, now: datetime, after: str, limit: int
    ) -> str | None:
        """See ``SweepStore.plan_looks``."""
        async with connected(self._pool) as connection:
            return await looks.plan(connection, silent_since, now, after, limit)

    async def due_looks(self, provider: str, now: datetime, limit: int) -> Sequence[PlannedLook]:
        """See ``SweepStore.due_looks``."""
        async with connected(self._pool) as connection:
            return await looks.due(connection, provider, now, limit)

    async def note_looks(self, taken: Sequence[Look]) -> None:
        """See ``SweepStore.note_looks``."""
        async with connected(self._pool) as connection:
            await looks.note(connection, taken)

    async def owners_with_payments(
        self, provider: str, objects: Sequence[str]
    ) -> Mapping[str, tuple[str, Payment | None]]:
        """See ``SweepStore.owners_with_payments``."""
        async with connected(self._pool) as connection:
            return await looks.owners_with_payments(connection, provider, objects)

    async def known_events(self, event_ids: Sequence[str]) -> AbstractSet[str]:
        """See ``SweepStore.known_events``."""
        async with connected(self._pool) as connection:
            return await looks.known_events(connection, event_ids)

    async def end_looks(self, payment_ids: Sequence[str]) -> None:
        """See ``SweepStore.end_looks``."""
        async with connected(self._pool) as connection:
            await looks.end(connection, payment_ids)

    async def expired(
        self, now: datetime, after: DuePayment | None, limit: int
    ) -> list[DuePayment]:
        """See ``SweepStore.expired``."""
        async with connected(self._pool) as connection:
            return await routing.expired(connection, now, after, limit)

    async def gauges(self) -> list[tuple[str, int, datetime | None]]:
        """See ``SweepStore.gauges``."""
        async with connected(self._pool) as connection:
            return await routing.gauges(connection)

    async def of_unknown_accounts(
        self, calls: Sequence[str], webhooks: Sequence[str]
    ) -> list[tuple[str, str, int]]:
        """See ``SweepStore.of_unknown_accounts``."""
        async with for_one_statement(self._pool) as connection:
            return await unknown_accounts.of_unknown_accounts(connection, calls, webhooks)


class PostgresHistory:
    """A ``HistoryStore``."""

    histories: Sequence[str] = tuple(history.DELETABLE)
    partitioned: Sequence[str] = tuple(history.PARTITIONED)

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def make_partitions(self, now: datetime) -> None:
        """See ``HistoryStore.make_partitions``."""
        async with connected(self._pool) as connection:
            await partitions.make_ahead(connection, now)

    async def drop_partitions(self, before: datetime) -> Sequence[tuple[str, int]]:
        """See ``HistoryStore.drop_partitions``."""
        async with connected(self._pool) as connection:
            return await partitions.drop_partitions(connection, before)

    async def give_up_parked(self, before: datetime, limit: int) -> int:
        """See ``HistoryStore.give_up_parked``."""
        async with connected(self._pool) as connection:
            return await history.give_up_parked(connection, before, limit)

    async def delete_history(self, table: str, before: datetime, limit: int) -> int:
        """See ``HistoryStore.delete_history``."""
        async with connected(self._pool) as connection:
            return await history.delete_history(connection, table, before, limit)

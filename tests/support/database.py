"""The processor's store, and queries of its rows."""

from collections.abc import Iterable
from typing import Any, Final, LiteralString

from psycopg import sql

from decisions.fold import fold
from ports.batch import Publishable, PublishableVersion, ReadSet, WriteSet
from ports.records import ConsumedRecord
from postgres.stores import Pool, PostgresBatches
from tests.support.builders import DECODER, NOW, received

#: Every table that the processor writes. Tables with foreign keys come first.
TABLES: Final = (
    "refunds",
    "disputes",
    "provider_calls",
    "payment_versions",
    "open_matters",
    "payments",
    "payment_labels",
    "publications",
    "unpublished_versions",
    "operations",
    "unpublished_operations",
    "inbox",
    "duplicates",
    "dead_letters",
    "quarantines",
    "unrouted",
    "cursors",
    "looks",
    "dead_letter_replays",
    "ignored_webhooks",
    "notices",
    "published_parts",
    "rate_budgets",
)
#: Tables that only a migration writes.
CONSTANT: Final = {"schema_migrations", "payment_statuses", "allowed_transitions"}
#: Ends every other connection to the database.
DISCONNECT: Final = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()"""
Rows = list[tuple[Any, ...]]


def batches(pool: Pool) -> PostgresBatches:
    """The real store of batches."""
    return PostgresBatches(pool, DECODER.decode)


async def load(pool: Pool, *records: ConsumedRecord) -> ReadSet:
    """The read set of these records. The locks are released at once."""
    async with batches(pool).transaction() as transaction:
        return await transaction.load([received(record) for record in records])


async def plan_of(pool: Pool, *records: ConsumedRecord) -> WriteSet:
    """The write set of these records, given the present read set."""
    return fold(await load(pool, *records), [received(record) for record in records])


async def write(pool: Pool, plan: WriteSet) -> list[PublishableVersion]:
    """Writes a write set, which may be outdated. Returns the versions to publish."""
    async with batches(pool).transaction() as transaction:
        published = await transaction.write(plan, NOW)
    return versions(published)


def versions(published: Iterable[Publishable]) -> list[PublishableVersion]:
    """Returns the versions of what is to be published, without the operations."""
    return [each for each in published if isinstance(each, PublishableVersion)]


async def process(pool: Pool, *records: ConsumedRecord) -> list[PublishableVersion]:
    """Processes one batch up to its commit, without publishing."""
    return await write(pool, await plan_of(pool, *records))


async def rows(pool: Pool, statement: sql.Composable | LiteralString, *values: Any) -> Rows:
    """A query's rows."""
    async with pool.connection() as connection:
        return list(await (await connection.execute(statement, values)).fetchall())


async def empty(pool: Pool) -> None:
    """Deletes every row."""
    async with pool.connection() as connection:
        for table in TABLES:
            await connection.execute(sql.SQL("delete from {}").format(sql.Identifier(table)))


async def everything(pool: Pool) -> dict[str, Rows]:
    """All rows, by table."""
    whole = sql.SQL("select t::text from {} t order by 1")
    return {name: await rows(pool, whole.format(sql.Identifier(name))) for name in TABLES}

"""Empties the database before a turn, and checks it against the workload afterwards."""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import psycopg

from bench.errors import WrongResultError
from bench.load.workload import Ending, Workload
from bench.site import Site
from decisions.decode import Decoder
from decisions.fold import fold
from ports.batch import ReadSet
from ports.records import ConsumedRecord, DecodedInput, RecordOffset
from postgres.batch import transaction as store
from postgres.batch import unpublished
from schemas.commands import CommandBase
from schemas.topics import PAYMENT_COMMANDS

EMPTY: Final = """
    truncate payments, payment_versions, publications, unpublished_versions, operations,
        unpublished_operations, payment_labels, open_matters, refunds, disputes, inbox, duplicates,
        dead_letters, quarantines, provider_calls, unrouted"""
#: Outcomes that this workload must not end in.
WRONG: Final = frozenset({"parked", "rejected", "conflict", "quarantined"})
CHUNK: Final = 500

#: An event that does not use up its ID is recorded at each delivery, under its position.
OUTCOMES: Final = """
    select split_part(event_id, '@', 1), outcome from inbox where payment_id = any(%s)"""
DUPLICATES: Final = """
    with asked(ids) as (select %s::text[])
    select (select count(*) from duplicates, asked where payment_id = any(ids))
        + (select count(*) - count(distinct split_part(event_id, '@', 1)) from inbox, asked
           where payment_id = any(ids))"""
ENDINGS: Final = """
    select payment_id, status, captured, refunded from payments where payment_id = any(%s)"""
WRITTEN: Final = """
    select max(at) from (
        select max(recorded_at) as at from inbox
        union all select max(recorded_at) from duplicates
        union all select max(published_at) from publications) as written"""
UNPUBLISHED: Final = "select count(*) from publications where published_at is null"
BATCHES: Final = """
    select count(*) from (
        select recorded_at from inbox union all select recorded_at from duplicates) as written
    where recorded_at > to_timestamp(%s) group by recorded_at"""
PAID: Final = """
    select payment_id, object_id, amount from payments
    where status = 'SUCCEEDED' and refunded = 0 and captured = amount
    order by payment_id limit %s"""
VERSIONS: Final = """
    select count(*) from (
        select payment_id from payment_versions join payments p using (payment_id)
        where payment_id = any(%s)
        group by payment_id having count(*) <> max(p.version)) as not_dense"""
VERSIONS_BY_WEBHOOK: Final = """
    select payment_id || ':' || version from payment_versions
    where payment_id = any(%s) and version > 1"""

VERSION_BY_EVENT: Final = """
    select event_id, payment_id || ':' || version from payment_versions
    where payment_id = any(%s)"""


async def _rows(site: Site, statement: LiteralString, *values: Any) -> list[tuple[Any, ...]]:
    async with await psycopg.AsyncConnection.connect(site.database_url) as connection:
        return await (await connection.execute(statement, values)).fetchall()


async def empty(site: Site) -> None:
    """Empties the tables before a turn."""
    async with await psycopg.AsyncConnection.connect(site.database_url) as connection:
        await connection.execute(EMPTY)


async def analyze(site: Site) -> None:
    """Updates the planner's statistics, as autovacuum would in the long run."""
    async with await psycopg.AsyncConnection.connect(
        site.database_url, autocommit=True
    ) as connection:
        await connection.execute("analyze")


def creates(commands: Iterable[CommandBase]) -> list[DecodedInput]:
    """The commands, decoded like the processor's inputs. Raises WrongResultError."""
    decoder = Decoder({})
    received = []
    for number, command in enumerate(commands):
        position = RecordOffset(PAYMENT_COMMANDS, 0, number)
        value = command.model_dump_json().encode()
        item = decoder.decode(
            ConsumedRecord(
                position=position,
                key=command.payment_id.encode(),
                value=value,
                headers={},
                timestamp_ms=0,
            )
        )
        if not isinstance(item, DecodedInput):
            raise WrongResultError(f"a command can't be decoded: {item.error}")
        received.append(item)
    return received


async def create_payments(site: Site, commands: Iterable[CommandBase]) -> None:
    """Creates the payments as the processor would, for programs without a log."""
    received = creates(commands)
    nothing = ReadSet(payments={}, known={}, quarantined=frozenset(), parked={}, owners={})
    async with await psycopg.AsyncConnection.connect(site.database_url) as connection:
        for start in range(0, len(received), CHUNK):
            plan = fold(nothing, received[start : start + CHUNK])
            published = await store.write(connection, plan, datetime.now(UTC))
            ids = {each.publication_id for each in published}
            await unpublished.mark_published(connection, ids, datetime.now(UTC))
            await connection.commit()


async def check(site: Site, workload: Workload, *, is_ordered: bool = True) -> Counter[str]:
    """Checks the workload's results, and counts them by outcome. Raises WrongResultError.

    Unless ``is_ordered``, webhooks of a payment may have overtaken each other: then the report of a
    cancel may have come before what made us cancel, and is somebody else's.
    """
    payment_ids = list(workload.endings)
    stored = dict(await _rows(site, OUTCOMES, payment_ids))
    expected = workload.events | {command.event_id for command in workload.commands}
    if stored.keys() != expected:
        missing, more = len(expected - stored.keys()), len(stored.keys() - expected)
        raise WrongResultError(f"{missing} of {len(expected)} events are missing, {more} unknown")
    outcomes = Counter(stored.values())
    if WRONG & outcomes.keys():
        raise WrongResultError(f"unexpected outcomes: {dict(outcomes)}")
    ended = {p: Ending(*end) for p, *end in await _rows(site, ENDINGS, payment_ids)}
    wrong = [
        p
        for p, ending in workload.endings.items()
        if ended.get(p) != ending
        and (is_ordered or ended.get(p) != replace(ending, status="CANCELED"))
    ]
    if wrong:
        some = f"{wrong[0]} is {ended.get(wrong[0])}, not {workload.endings[wrong[0]]}"
        raise WrongResultError(f"{len(wrong)} payments ended wrongly, such as {some}")
    ((not_dense,),) = await _rows(site, VERSIONS, payment_ids)
    if not_dense:
        raise WrongResultError(f"{not_dense} payments lack a version")
    return outcomes


async def paid(site: Site, count: int) -> list[tuple[str, str, int]]:
    """Returns payment ID, object ID and amount of so many payments, paid and never refunded."""
    return [(row[0], row[1], row[2]) for row in await _rows(site, PAID, count)]


async def check_duplicates(site: Site, workload: Workload) -> int:
    """The number of recorded duplicates. Raises WrongResultError unless all are recorded."""
    ((count,),) = await _rows(site, DUPLICATES, list(workload.endings))
    repeated = len(workload.deliveries) - len(workload.events)
    if count != repeated:
        raise WrongResultError(f"{count} of {repeated} repeated deliveries are recorded")
    return repeated


async def check_published(site: Site, workload: Workload, published: AbstractSet[str]) -> None:
    """Raises WrongResultError unless each version from a webhook is in ``payment-state``.

    ``published`` holds ``<payment ID>:<version>``.
    """
    found = await _rows(site, VERSIONS_BY_WEBHOOK, list(workload.endings))
    missing = {version for (version,) in found} - published
    if missing or not found:
        raise WrongResultError(f"{len(missing)} of {len(found)} versions are not published")


async def versions(site: Site, workload: Workload) -> dict[str, str]:
    """``<payment ID>:<version>`` by the event that created the version."""
    return dict(await _rows(site, VERSION_BY_EVENT, list(workload.endings)))


async def published_at(site: Site) -> float:
    """When the processor had finished, in seconds since the epoch. Raises WrongResultError."""
    ((count,),) = await _rows(site, UNPUBLISHED)
    if count:
        raise WrongResultError(f"{count} publications are not marked as published")
    ((written_at,),) = await _rows(site, WRITTEN)
    return float(written_at.timestamp())


async def batches_since(site: Site, begun_at: float) -> list[int]:
    """The sizes of the batches written since then (seconds since the epoch)."""
    return [count for (count,) in await _rows(site, BATCHES, begun_at)]

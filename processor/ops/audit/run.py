"""Audits a running system, some payments at a time: its memory does not depend on what is stored.

An effect is read before its cause, so records in flight are never reported as missing:

* The acknowledged offsets are read before the log, and the log before any table. What was
  acknowledged then was committed before, and outcomes are only deleted by age. So whenever a range
  is read, the outcomes of its payments' acknowledged records are there, or will be older than the
  retention before the audit ends: those are not asked for.
* What was marked as published is noted before ``payment-state`` is read, and the payments later.
  So the topic has at least the marked version, and no later one than the payment has then.
* Each range is read as of one moment, and every row of a payment is in its range. A payment's rows
  are written in one transaction, so they agree whenever they are read. The ranges are of different
  moments, but no invariant compares rows of two payments, with two exceptions. A record has one
  outcome: an outcome never moves to another payment or table, so it is seen once. An event has one
  effect: versions are never changed, and one statement looks for an event's second one.

The router's topic is apart: see ``unrouted``.

An incremental audit checks the payments that have a new input, or something that waits. It notes
which these are after it reads the acknowledged offsets: so the outcome of each record that it reads
from the log is one of theirs, or a duplicate, or a dead letter. It looks for a repeated event only
within a payment, and for the last published version only if that one is as new.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psycopg
from msgspec import Struct
from msgspec.structs import replace

from messaging.log_reader import extent
from ports.records import RecordOffset
from postgres.deadlines import OperatingConnection
from postgres.ops import audit as sql
from processor.ops.audit import topics
from processor.ops.audit.findings import Findings
from processor.ops.audit.ranges import Range, Ranges
from processor.ops.audit.share import AuditShare, Checked
from processor.ops.audit.tables import ALWAYS, NEVER, Times
from processor.ops.audit.unrouted import Unrouted
from processor.ops.invariants import Evidence, nothing_waits
from processor.ops.ledger import Ledger
from processor.ops.processes import do_all
from processor.ops.progress import Report
from schemas.topics import PROCESSOR_SOURCES

Connection = psycopg.AsyncConnection[Any]
#: By how much an incremental audit reads more outcomes and states than was asked: clocks differ,
#: and what was decided is published a moment later.
MARGIN: Final = timedelta(minutes=10)
#: History may be deleted while an audit reads, which takes no longer than this.
LONGEST: Final = timedelta(hours=12)
#: Payments of a range; each process has one in memory.
RANGE_PAYMENTS: Final = 1_000
#: Rows that are fetched at a time.
_FETCHED: Final = 5_000


class Scope(Struct, frozen=True, kw_only=True):
    """What to audit."""

    #: Rows younger than this many seconds may be in flight. 0: the system is at rest.
    settle_s: float = 0.0
    #: The history of inputs older than this many seconds may be deleted. None: it is complete.
    retention_s: float | None = None
    #: Records older than this many seconds may have left the topics. None: they are complete.
    log_retention_s: float | None = None
    #: The first payment ID to check.
    start: str = ""
    #: Check only payments with an input since then, or with something that waits.
    since: datetime | None = None
    range_payments: int = RANGE_PAYMENTS

    def times(self, now: datetime) -> Times:
        """Returns what is old and what is young at this time."""
        return Times(
            before=now - timedelta(seconds=self.settle_s) if self.settle_s else ALWAYS,
            kept=_kept(now, self.retention_s),
            on_topic=max(_kept(now, self.log_retention_s), self.since or NEVER),
            since=self.since,
            is_live=bool(self.settle_s),
        )

    def history(self, times: Times) -> datetime:
        """Returns from when on outcomes and states are looked at."""
        return times.kept if self.since is None else max(times.kept, self.since - MARGIN)

    def log(self, times: Times) -> datetime:
        """Returns from when on records are looked at: each must be among those outcomes."""
        return times.kept if self.since is None else max(times.kept, self.since)


def _kept(now: datetime, retention_s: float | None) -> datetime:
    """Returns from when on what is kept for this long is there, to the end of the audit."""
    if retention_s is None:
        return NEVER
    retention = timedelta(seconds=retention_s)
    return now - retention + min(LONGEST, retention / 10)


async def audit(
    bootstrap: str,
    database_url: str,
    scope: Scope,
    clock: Callable[[], datetime],
    findings: Findings,
    report: Report,
    jobs: int = 1,
) -> None:
    """Checks every invariant. What it found is in ``findings``, also if it is interrupted.

    Args:
        bootstrap: the brokers.
        database_url: Postgres.
        scope: what to audit.
        clock: the current time in UTC.
        findings: is added to.
        report: shows how far it is.
        jobs: processes that share the ranges. 1: this one.

    Raises:
        psycopg.Error, KafkaError: Postgres or the brokers are unavailable.
        ShareFailedError: a process that does a share was ended.
        CollationError: the database was made with another collation than C.
    """
    times = scope.times(clock())
    since, log_since = scope.history(times), scope.log(times)
    is_changed_only = scope.since is not None
    ledger = Ledger()

    async with await _connect(database_url):
        pass  # if it can't be reached, nothing is read for nothing
    acknowledged = await topics.acknowledged(bootstrap)
    with TemporaryDirectory(prefix="payments-audit-") as folder:
        async with await _connect(database_url) as connection:
            times = await answering(connection, times)
            ranges, payments = await plan(connection, Path(folder), scope, times)
        lag = await topics.read_log(bootstrap, acknowledged, ledger, times, log_since, report)
        await topics.read_published(bootstrap, ranges, since if is_changed_only else NEVER, report)
        ranges.write()
        first = AuditShare(
            database_url=database_url,
            folder=Path(folder),
            boundaries=ranges.boundaries,
            times=times,
            number=0,
            count=jobs,
            without=("S1",) if is_changed_only else ("S1", "S2"),
        )
        shares = [replace(first, number=number) for number in range(jobs)]
        await do_all(shares, _Merging([*ranges], payments, findings, ledger, report).add)
    async with await _connect(database_url) as connection:
        await _note_outcomes(connection, scope, since, ledger)
        findings.add("L1", nothing_waits(await waiting(connection, times, lag)))
        if not is_changed_only:
            await _find_repeated(connection, findings)
        unrouted = await _find_lost(bootstrap, connection, log_since, findings, report)
    findings.by_code["S1"].checked = ledger.records + unrouted
    findings.add("S1", ledger.violations(await _first_offsets(bootstrap, scope, clock())))
    findings.reached = None


async def _connect(database_url: str) -> Connection:
    return await OperatingConnection.connect(database_url, autocommit=True)


async def plan(
    connection: Connection, folder: Path, scope: Scope, times: Times
) -> tuple[Ranges, int]:
    """Divides the payments into ranges, and notes what is marked as published of each.

    Returns the ranges and the number of payments. Raises CollationError.
    """
    ranges = Ranges(folder, [scope.start])
    values = {"start": scope.start, "size": scope.range_payments}
    if scope.since is not None:
        return ranges, await _list_changed(connection, ranges, scope, times)
    ((payments,),) = await (await connection.execute(sql.COUNT, values)).fetchall()
    async for rows in _fetched(connection, sql.BOUNDARIES, values):
        for (payment_id,) in rows:
            ranges.begin(payment_id)
    if times.is_live:
        await mark(connection, ranges, scope.start)
    return ranges, payments


async def answering(connection: Connection, times: Times) -> Times:
    """Returns the times with those from which on the commands of a partition are operations."""
    cursor = await connection.execute(sql.ANSWERING)
    return replace(times, answering=dict(await cursor.fetchall()))


async def mark(connection: Connection, ranges: Ranges, start: str) -> None:
    """Notes what is marked as published, of the payments from ``start`` on."""
    async for rows in _fetched(connection, sql.LAST_PUBLISHED_FROM, {"start": start}):
        for payment_id, version in rows:
            ranges.mark(payment_id, version)


async def _list_changed(connection: Connection, ranges: Ranges, scope: Scope, times: Times) -> int:
    """Notes which payments have changed. Returns how many."""
    listed = 0
    values = {"start": scope.start, "since": scope.history(times)}
    async for rows in _fetched(connection, sql.CHANGED, values, scope.range_payments):
        ids = [payment_id for (payment_id,) in rows]
        if listed:
            ranges.begin(ids[0])
        listed += len(ids)
        for payment_id in ids:
            ranges.list(payment_id)
        marked = await connection.execute(sql.LAST_PUBLISHED_OF, {"ids": ids})
        for payment_id, version in await marked.fetchall():
            ranges.mark(payment_id, version)
    return listed


class _Merging:
    """Adds up what was found in the ranges, in their order, and shows how far it is."""

    def __init__(
        self,
        ranges: Sequence[Range],
        payments: int,
        findings: Findings,
        ledger: Ledger,
        report: Report,
    ) -> None:
        self._ranges, self._payments = ranges, payments
        self._findings, self._ledger, self._report = findings, ledger, report
        self._early: dict[int, Checked] = {}
        self._next = self._done = 0
        report("payments", 0, payments)

    def add(self, checked: Checked) -> None:
        """Adds what was found in a range, once all before it are there."""
        self._early[checked.number] = checked
        while (following := self._early.pop(self._next, None)) is not None:
            self._findings.merge(following.findings)
            self._ledger.end_all(following.outcomes)
            self._done += following.payments
            reached = self._ranges[self._next].until
            self._next += 1
            self._findings.reached = reached or self._findings.reached
            self._report("payments", self._done, self._payments, reached or "")


async def _note_outcomes(
    connection: Connection, scope: Scope, since: datetime, ledger: Ledger
) -> None:
    """Notes the outcomes that are not those of the checked payments."""
    values = {"start": scope.start, "since": since}
    statements = [sql.DUPLICATES, sql.DEAD_LETTERS, *([sql.EARLIER] if scope.start else [])]
    for statement in statements:
        async for rows in _fetched(connection, statement, values):
            for row in rows:
                if (found := RecordOffset(*row)).topic in PROCESSOR_SOURCES:
                    ledger.end(found)


async def waiting(connection: Connection, times: Times, lag: int) -> Evidence:
    """Returns how much waits that is of no payment, or of several."""
    values = {"before": times.before}
    ((unpublished,),) = await (await connection.execute(sql.UNPUBLISHED, values)).fetchall()
    ((unrouted,),) = await (await connection.execute(sql.UNROUTED, values)).fetchall()
    return Evidence(lag=lag, unpublished=unpublished, unrouted=unrouted)


async def _find_repeated(connection: Connection, findings: Findings) -> None:
    """Adds each event that created more than one version, be it of payments of two ranges."""
    async for rows in _fetched(connection, sql.REPEATED, {}):
        findings.add("S2", [f"{event_id} created {count} versions" for event_id, count in rows])


async def _find_lost(
    bootstrap: str, connection: Connection, since: datetime, findings: Findings, report: Report
) -> int:
    """Adds each webhook since then that the router has lost. Returns how many records it read."""
    unrouted = Unrouted(bootstrap, connection, await topics.routed(bootstrap), report)
    async for violation in unrouted.lost(topics.looked_up(since)):
        findings.add("S1", [violation])
    return unrouted.records


async def _fetched(
    connection: Connection, statement: str, values: Mapping[str, Any], size: int = _FETCHED
) -> AsyncIterator[list[tuple[Any, ...]]]:
    """Yields a statement's rows, some at a time."""
    async with connection.transaction(), connection.cursor(name="audit") as cursor:
        await cursor.execute(statement.encode(), values)
        while rows := await cursor.fetchmany(size):
            yield rows


async def _first_offsets(
    bootstrap: str, scope: Scope, now: datetime
) -> Mapping[tuple[str, int], int] | None:
    """Returns from where on outcomes must exist now. None: from everywhere."""
    if scope.retention_s is None:
        return None
    return {
        (topic, partition.partition): first
        for topic in PROCESSOR_SOURCES
        for partition, (first, _) in (await extent(bootstrap, topic, scope.times(now).kept)).items()
    }

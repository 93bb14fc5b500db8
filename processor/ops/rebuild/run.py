"""S7: rebuilds the state from the log alone, and compares it with the stored rows.

The log is copied once, sorted by parts of the payments. Then part by part, every recorded input is
decided again in the original order. What was finished stays so: a rebuild of all payments that was
interrupted goes on where it stopped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ports.errors import UnknownPaymentsError
from ports.records import Decode
from postgres.deadlines import OperatingConnection
from postgres.ops.rebuild import parts, shadow, stored, work
from postgres.ops.rebuild.differences import TABLES
from postgres.ops.rebuild.parts import Connection
from postgres.ops.rebuild.work import Work
from processor.ops.processes import do_all
from processor.ops.rebuild import copying
from processor.ops.rebuild.copying import Positions
from processor.ops.rebuild.job import Job
from processor.ops.rebuild.progress import Done, Report, ignore, reporting
from processor.ops.rebuild.results import RebuildResult, nothing, total


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The payments to decide again: these, or those with an input since then, or all."""

    payment_ids: Sequence[str] = ()
    since: datetime | None = None

    @property
    def is_all(self) -> bool:
        """Whether it is all payments."""
        return not self.payment_ids and self.since is None


EVERYTHING: Final = Scope()


async def rebuild(
    kafka_bootstrap: str,
    database_url: str,
    decode: Decode,
    clock: Callable[[], datetime],
    scope: Scope = EVERYTHING,
    *,
    again: bool = False,
    jobs: int = 1,
    report: Report = ignore,
) -> RebuildResult:
    """Rebuilds and compares.

    Args:
        kafka_bootstrap: the brokers.
        database_url: Postgres.
        decode: decodes a record.
        clock: the current time in UTC.
        scope: which payments. Of named ones the rebuilt rows are kept if something differs.
        again: start from nothing, even if a rebuild of all payments was interrupted.
        jobs: processes that share the work.
        report: takes progress.

    Raises:
        RebuildRunningError: another rebuild is running on this database.
        UnknownPaymentsError: nothing is stored of a payment that is named.
        ShareFailedError: a process that does a share was ended.
        psycopg.Error, KafkaError: Postgres or the brokers are unavailable.
    """
    async with await OperatingConnection.connect(database_url, autocommit=True) as guard:
        await work.lock(guard)
        job = Job(
            kafka_bootstrap=kafka_bootstrap,
            database_url=database_url,
            stored=await shadow.stored_schema(guard),
            work=Work(work.ALL if scope.is_all else work.SOME),
            decode=decode,
            clock=clock,
            keep=bool(scope.payment_ids),
        )
        await Work(work.SOME).drop(guard)
        await shadow.drop_kept(guard)
        if scope.is_all:
            await _copy_all(guard, job, jobs, report, again=again)
        else:
            await _copy_some(guard, job, scope, report)
        await _decide(guard, job, 1 if job.keep else jobs, report)
        results = await job.work.results(guard)
        found = total(nothing([table.name for table in TABLES]), results)
        await job.work.drop(guard)
        if job.keep and found.is_equal:
            await shadow.drop_kept(guard)
    return found


async def _copy_all(guard: Connection, job: Job, jobs: int, report: Report, *, again: bool) -> None:
    begun_at = None if again else await job.work.begun_at(guard)
    if begun_at is None:
        count = await parts.count_parts(guard, job.stored)
        await job.work.make(guard, await parts.ranges(guard, count), job.clock())
    else:
        done, of, _ = await job.work.counts(guard)
        report(f"a rebuild of {begun_at:%Y-%m-%d %H:%M} UTC goes on: {done} of {of} parts are done")
    spans = await copying.spans(job.kafka_bootstrap)

    async def copied() -> Done:
        offsets = await job.work.copied(guard)
        records = sum(max(0, offsets.get(p, 0) - begin) for p, (begin, _) in spans.items())
        return Done(records, sum(end - begin for begin, end in spans.values()), records)

    async with reporting("copying the log", "records", copied, report):
        await do_all(job.shares("copy", jobs), _nothing)


async def _copy_some(guard: Connection, job: Job, scope: Scope, report: Report) -> None:
    found = parts.lists(await _chosen(guard, job.stored, scope), is_one=job.keep)
    await job.work.make(guard, found, job.clock())
    positions = Positions()
    for part in found:
        positions.add(await stored.positions(guard, job.stored, part))
    report(f"reading {positions.count():,} records of the log, and what lies between")
    route = parts.route_to_lists(found)
    await copying.copy_positions(guard, job.work, job.kafka_bootstrap, route, positions)


async def _chosen(guard: Connection, schema: str, scope: Scope) -> Sequence[str]:
    if scope.since is not None:
        return await stored.with_inputs_since(guard, schema, scope.since)
    unknown = set(scope.payment_ids) - await stored.known(guard, schema, scope.payment_ids)
    if unknown:
        raise UnknownPaymentsError(f"nothing is stored of {', '.join(sorted(unknown))}")
    return scope.payment_ids


async def _decide(guard: Connection, job: Job, jobs: int, report: Report) -> None:
    async def decided() -> Done:
        return Done(*await job.work.counts(guard))

    async with reporting("deciding again", "parts", decided, report, handled="inputs"):
        await do_all(job.shares("decide", jobs), _nothing)


def _nothing(_: object) -> None:
    """The shares of a rebuild send nothing: what they find is in the tables of the work."""

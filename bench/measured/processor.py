"""Events per second through the processor: the real ``payments stream``.

One worker does all of its work: dedup table, state machine, transaction in Postgres, publication to
``payment-state``. ``reading.py`` measures it, until the last version is marked as published, by the
rows' own timestamps.

The create commands are processed before the webhooks. So the synchronous program, whose payments
exist already, does the same work.
"""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

from bench import reading
from bench.load import log, rows, wal
from bench.load.samples import Sample, Turn
from bench.programs import STREAM, Programs, running
from bench.site import Site
from schemas.topics import APP_ID


async def run(site: Site, turn: Turn) -> Sample:
    """One turn of one worker. Raises WrongResultError, StuckError."""
    return await shared(1, site, turn)


async def shared(count: int, site: Site, turn: Turn) -> Sample:
    """One turn of this many workers. Raises WrongResultError, StuckError."""
    await rows.empty(site)
    return await measured(site, turn, [site.root / _name(number) for number in range(count)])


async def measured(site: Site, turn: Turn, folders: Sequence[Path]) -> Sample:
    """One turn of one worker per data folder, on the existing tables.

    Raises WrongResultError, StuckError.
    """
    work, count = turn.work, len(turn.work.deliveries)
    await log.skip_to_end(site)
    async with AsyncExitStack() as stack:
        started = []
        for number, folder in enumerate(folders):
            program = replace(STREAM, name=_name(number))
            worker = running(program, site, PAYMENTS_DATA_DIR=str(folder))
            started.append(await stack.enter_async_context(worker))
        workers = Programs(tuple(started))
        await log.until_shared(site, len(folders))
        await log.feed(site, log.commands_as_records(turn.warm_up.commands))
        await log.feed(site, log.deliveries_as_records(turn.warm_up.deliveries))
        await log.until_processed(site)
        until = partial(rows.published_at, site)
        creates = log.commands_as_records(work.commands)
        created = await reading.process(site, workers, APP_ID, creates, until)
        await rows.analyze(site)
        begun_at = time.time()
        webhooks = log.deliveries_as_records(work.deliveries)
        written_from = await wal.position(site)
        async with turn.watch(started[0]):
            done = await reading.process(site, workers, APP_ID, webhooks, until)
        written = await wal.since(site, written_from)
        rss_mib = workers.rss_mib()
        workers.stop()
    outcomes = await rows.check(site, work)
    duplicates = await rows.check_duplicates(site, work)
    others = {
        **done.cpu_us(count),
        "rss_mib": rss_mib,
        **written.figures(count),
        "batch_records": median(await rows.batches_since(site, begun_at)),
        "creates_per_s": len(work.commands) / created.seconds,
        **{f"{name}_share": number / count for name, number in outcomes.items()},
        "duplicate_share": duplicates / count,
    }
    return Sample(count, done.seconds, others)


def _name(number: int) -> str:
    """A worker's name. The first has the name of a single worker, and so its log and folder."""
    return f"stream-{number + 1}" if number else "stream"

"""Events per second through the processor: the real ``python -m processor stream``.

One worker does all of its work: the table of seen events, the state machine, the transaction in
Postgres, the publishing to ``payment-state``. It is measured as ``reading.py`` says, until the last
version is marked as published, by the rows' own timestamps.

The create commands are processed before, not with the webhooks, so that the synchronous program
beside it, whose payments exist already, does the same work.
"""

import time
from functools import partial
from statistics import median
from typing import Final

from bench import log, reading, rows
from bench.programs import Program, running
from bench.samples import Sample, Turn
from bench.site import Site
from processor.stream import APP_ID

STREAM: Final = Program("stream", ("processor", "stream"), "/readyz", "PAYMENTS_METRICS_PORT")


async def run(site: Site, turn: Turn) -> Sample:
    """One turn. Raises WrongResultError, StuckError."""
    work, count = turn.work, len(turn.work.deliveries)
    await log.skip_to_end(site)
    await rows.empty(site)
    async with running(STREAM, site, PAYMENTS_DATA_DIR=str(site.root / "stream")) as worker:
        await log.feed(site, log.commands_as_records(turn.warm_up.commands))
        await log.feed(site, log.deliveries_as_records(turn.warm_up.deliveries))
        await log.until_processed(site)
        until = partial(rows.published_at, site)
        creates = log.commands_as_records(work.commands)
        created = await reading.process(site, worker, APP_ID, creates, until)
        await rows.analyze(site)
        begun_at = time.time()
        webhooks = log.deliveries_as_records(work.deliveries)
        async with turn.watch(worker):
            done = await reading.process(site, worker, APP_ID, webhooks, until)
    outcomes = await rows.check(site, work)
    duplicates = await rows.check_duplicates(site, work)
    others = {
        **done.cpu_us(count),
        "batch_records": median(await rows.batches_since(site, begun_at)),
        "creates_per_s": len(work.commands) / created.seconds,
        **{f"{name}_share": number / count for name, number in outcomes.items()},
        "duplicate_share": duplicates / count,
    }
    return Sample(count, done.seconds, others)

"""Events per second through the processor: the real ``python -m processor stream``.

One worker does all of its work: the table of seen events, the state machine, the transaction in
Postgres, the publishing to ``payment-state``. How it is measured:

1. The worker starts, catches up, and processes the warm-up (commands and webhooks) until idle.
2. It is paused (SIGSTOP, for a second or two of its session timeout of 45). The create commands are
   published. It goes on. The same again with the webhooks, which are what is measured.
3. The time begins when it is let go and ends when the last version is marked as published, by the
   rows' own timestamps. So neither the start of the process, nor a rebalance, nor the publishing
   of the work, nor the polling of who measures is in it; the first fetch and the last commit are.

The create commands are processed before, not with the webhooks, so that the synchronous program
beside it, whose payments exist already, does the same work.
"""

import time
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench import log, rows
from bench.errors import WrongResultError
from bench.programs import Program, Running, cpu_of_all_s, running, used_since_s
from bench.samples import Sample, Turn
from bench.site import Site
from processor.sender import Outgoing

STREAM: Final = Program("stream", ("processor", "stream"), "/readyz", "PAYMENTS_METRICS_PORT")


@dataclass(frozen=True, slots=True)
class _Processed:
    seconds: float
    cpu_s: float
    all_cpu_s: float


async def run(site: Site, turn: Turn) -> Sample:
    """One turn. Raises WrongResultError, StuckError."""
    work, count = turn.work, len(turn.work.deliveries)
    await log.skip_to_end(site)
    await rows.empty(site)
    async with running(STREAM, site, PAYMENTS_DATA_DIR=str(site.root / "stream")) as worker:
        await log.feed(site, log.commands_as_records(turn.warm_up.commands))
        await log.feed(site, log.deliveries_as_records(turn.warm_up.deliveries))
        await log.until_processed(site)
        created = await _process(site, worker, log.commands_as_records(work.commands))
        await rows.analyze(site)
        begun_at = time.time()
        done = await _process(site, worker, log.deliveries_as_records(work.deliveries))
    outcomes = await rows.check(site, work)
    duplicates = await rows.count_duplicates(site, work)
    if duplicates != count - len(work.events):
        raise WrongResultError(f"{duplicates} repeated deliveries are recorded")
    others = {
        "cpu_us": done.cpu_s / count * 1e6,
        "all_cpu_us": done.all_cpu_s / count * 1e6,
        "batch_records": median(await rows.batches_since(site, begun_at)),
        "creates_per_s": len(work.commands) / created.seconds,
        **{f"{name}_share": number / count for name, number in outcomes.items()},
        "duplicate_share": duplicates / count,
    }
    return Sample(count, done.seconds, others)


async def _process(site: Site, worker: Running, records: list[Outgoing]) -> _Processed:
    """From the moment the worker finds these records until the last of them is published."""
    with worker.paused():
        await log.feed(site, records)
        cpu_s, all_s = worker.cpu_s(), cpu_of_all_s()
    begun_at = time.time()
    await log.until_processed(site)
    cpu_s, all_cpu_s = worker.cpu_s() - cpu_s, used_since_s(all_s)
    return _Processed(await rows.published_at(site) - begun_at, cpu_s, all_cpu_s)

"""Measures a program that reads the log.

1. The program starts, catches up, and processes the warm-up until idle.
2. It is paused (SIGSTOP) while the work is published. The pause takes a few seconds; the session
   timeout is 45 seconds.
3. The time begins when the program is continued, and ends when the last record was handled, by the
   rows' own timestamps or by the program's own metrics. It includes the first fetch. It includes
   neither the start, nor a rebalance, nor the publishing, nor the polling by the benchmark.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.errors import StuckError, WrongResultError
from bench.load import log, rows
from bench.load.samples import Sample, Turn
from bench.peers import progress
from bench.programs import Program, Programs, Running, cpu_of_all_s, running, used_since_s
from bench.site import Site
from ports.producer_record import ProducerRecord
from sandbox.supervision.ports import HOST
from schemas.topics import PAYMENT_STATE

#: A program that only reads gets the work this many times, because it reads it in half a second.
READ_TIMES: Final = 3
#: After a longer pause the program may lose its partitions, and a rebalance would be measured.
PAUSED_FOR_S: Final = 40.0
READY: Final = "/readyz"
PORT_VARIABLE: Final = "PAYMENTS_METRICS_PORT"


@dataclass(frozen=True, slots=True)
class Processed:
    """Time and CPU time of the measured work."""

    seconds: float
    cpu_s: float
    all_cpu_s: float

    def cpu_us(self, count: int) -> dict[str, float]:
        """CPU time per record, by the names of a sample's figures."""
        return {"cpu_us": self.cpu_s / count * 1e6, "all_cpu_us": self.all_cpu_s / count * 1e6}


@dataclass(frozen=True, slots=True)
class Peer:
    """A program of ``bench/peers`` that reads the log; ``group`` is its consumer group."""

    program: Program
    group: str


async def process(
    site: Site,
    worker: Running | Programs,
    group: str,
    records: Sequence[ProducerRecord],
    done_at: Callable[[], Awaitable[float]],
) -> Processed:
    """Measures from the worker's continuation with these records until ``done_at``.

    ``done_at`` returns seconds since the epoch. Raises StuckError.
    """
    paused_at = time.monotonic()
    with worker.paused():
        await log.feed(site, records)
        cpu_s, all_s = worker.cpu_s(), cpu_of_all_s()
    begun_at = time.time()
    if (paused_for_s := time.monotonic() - paused_at) > PAUSED_FOR_S:
        raise StuckError(f"publishing {len(records)} records took {paused_for_s:.0f} s")
    await log.until_processed(site, group)
    cpu_s, all_cpu_s = worker.cpu_s() - cpu_s, used_since_s(all_s)
    return Processed(await done_at() - begun_at, cpu_s, all_cpu_s)


async def do_the_work(
    site: Site,
    turn: Turn,
    peer: Peer,
    done_at: Callable[[Running], Awaitable[float]],
) -> tuple[Processed, dict[str, float]]:
    """One turn of a program that processes webhooks like the processor.

    Returns its figures and the share of each outcome. Raises WrongResultError, StuckError.
    """
    work = turn.work
    await log.skip_to_end(site, peer.group)
    begin = await log.ends(site, [PAYMENT_STATE])
    await rows.empty(site)
    await rows.create_payments(site, (*turn.warm_up.commands, *work.commands))
    await rows.analyze(site)
    async with running(peer.program, site, PAYMENTS_DATA_DIR=_folder(site, peer)) as worker:
        await log.feed(site, log.deliveries_as_records(turn.warm_up.deliveries))
        await log.until_processed(site, peer.group)
        records = log.deliveries_as_records(work.deliveries)
        done = await process(site, worker, peer.group, records, lambda: done_at(worker))
    outcomes = await rows.check(site, work)
    await rows.check_published(site, work, await log.published(site, begin))
    return done, {f"{name}_share": n / len(records) for name, n in outcomes.items()}


async def only_read(site: Site, turn: Turn, peer: Peer) -> Sample:
    """One turn of a program that only reads. Raises WrongResultError, StuckError."""
    await log.skip_to_end(site, peer.group)
    async with running(peer.program, site, PAYMENTS_DATA_DIR=_folder(site, peer)) as worker:
        warm_up = log.deliveries_as_records(turn.warm_up.deliveries)
        await log.feed(site, warm_up)
        await log.until_processed(site, peer.group)
        records = log.deliveries_as_records(turn.work.deliveries) * READ_TIMES
        done = await process(site, worker, peer.group, records, lambda: last_record_at(worker))
        found = await _progress(worker)
    expected = {
        progress.RECORDS: len(warm_up) + len(records),
        progress.BYTES: sum(len(r.value) for part in (warm_up, records) for r in part),
    }
    if {name: found[name] for name in expected} != expected:
        raise WrongResultError(f"{peer.program.name} has read {found}, not {expected}")
    return Sample(len(records), done.seconds, done.cpu_us(len(records)))


async def last_record_at(worker: Running) -> float:
    """When the program handled its last record, by its metrics; seconds since the epoch."""
    return (await _progress(worker))[progress.LAST_AT]


async def _progress(worker: Running) -> dict[str, float]:
    async with httpx.AsyncClient() as client:
        response = await client.get(f"http://{HOST}:{worker.port}/metrics")
    response.raise_for_status()
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def _folder(site: Site, peer: Peer) -> str:
    return str(site.root / peer.program.name)

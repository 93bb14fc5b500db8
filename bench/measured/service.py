"""Webhooks per second through the whole service: the ingress and the processor, both at work.

From the first request to the moment when the last version is published. What the synchronous
program does between a request and its answer is all in it, so this is the comparison that leaves
nothing out; two processes of ours share the cores that one of the other's has.

``burst`` is the same, but counts only how long the ingress took to accept them all: what the sender
of a burst sees, while the processor, on the same machine, is still at work on it.
"""

from typing import Final

from bench.load import http, log, rows
from bench.load.samples import Sample, Turn
from bench.measured.ingress import INGRESS
from bench.measured.processor import STREAM
from bench.programs import cpu_of_all_s, running, used_since_s
from bench.site import Site

LATENCIES: Final = ("p50_ms", "p99_ms")


async def run(site: Site, turn: Turn) -> Sample:
    """One turn, until all is published. Raises WrongResultError, StuckError."""
    _, whole = await _both(site, turn)
    return whole


async def burst(site: Site, turn: Turn) -> Sample:
    """One turn, until all is accepted. Raises WrongResultError, StuckError."""
    accepted, whole = await _both(site, turn)
    await rows.check_duplicates(site, turn.work)
    drained = {"published_s": whole.seconds, "waiting_s": whole.seconds - accepted.seconds}
    return Sample(accepted.count, accepted.seconds, {**whole.others, **drained})


async def _both(site: Site, turn: Turn) -> tuple[Sample, Sample]:
    """What the ingress was measured at, and the whole service."""
    await log.skip_to_end(site)
    await rows.empty(site)
    data = str(site.root / "stream")
    async with (
        running(STREAM, site, PAYMENTS_DATA_DIR=data) as worker,
        running(INGRESS, site) as server,
    ):
        for part in (turn.warm_up, turn.work):
            await log.feed(site, log.commands_as_records(part.commands))
        await log.until_processed(site)
        await rows.analyze(site)
        own_s, all_s = worker.cpu_s() + server.cpu_s(), cpu_of_all_s()
        driven = await http.drive(site, server, turn)
        await log.until_processed(site)
        own_s, all_cpu_s = worker.cpu_s() + server.cpu_s() - own_s, used_since_s(all_s)
        rss_mib = worker.rss_mib() + server.rss_mib()
    seconds = await rows.published_at(site) - driven.begun_at
    await rows.check(site, turn.work)
    count = driven.sample.count
    sent = count + len(turn.warm_up.deliveries)
    others = {name: driven.sample.others[name] for name in LATENCIES}
    others |= {"cpu_us": own_s / sent * 1e6, "all_cpu_us": all_cpu_s / sent * 1e6}
    others["rss_mib"] = rss_mib
    return driven.sample, Sample(count, seconds, others)

"""Webhooks per second through the whole service, ingress and processor together.

The time is from the first request until the last version is published. It includes all the work
that the synchronous program does between a request and its response, so this comparison is
complete. Our two processes share the cores that the synchronous program has for one.

``burst`` is the same work, but its time ends when the ingress has accepted all webhooks. Meanwhile
the processor works on the same machine.
"""

from typing import Final

from bench.load import http, log, rows
from bench.load.samples import Sample, Turn
from bench.measured.ingress import INGRESS
from bench.programs import STREAM, cpu_of_all_s, running, used_since_s
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
    """The sample of the ingress, and that of the whole service."""
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
        driven = await http.send_at_full_load(site, server, turn)
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

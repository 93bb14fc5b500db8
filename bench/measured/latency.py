"""The latency from a webhook's arrival to the record in ``payment-state``, at partial load.

What ingress and processor can do together is measured first, in the same turn: a part of the work
in a closed loop, until its last version is published. Then webhooks arrive at a share of that rate,
at times of a Poisson process, answered or not. A webhook's time begins when it is due, so waiting
for a connection is in it, and ends when a reader in another process, which reads what is committed,
has the record of the version that the webhook made. A webhook that made none has none. One that was
refused (503) comes again when all have arrived, and its time goes on until then.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Final

import msgspec

from bench.errors import WrongResultError
from bench.load import http, log, rows
from bench.load.load import quantile
from bench.load.open_load import Arrivals
from bench.load.samples import Sample, Turn
from bench.load.workload import Delivery
from bench.measured.ingress import INGRESS
from bench.measured.processor import STREAM
from bench.programs import Program, Running, running
from bench.site import Site
from sandbox.stripe_simulator.chance import Chance

SEED: Final = "arrivals"
#: Of the work, what capacity is measured with.
FIRST: Final = 0.25
#: How long webhooks arrive, unless there are fewer.
ARRIVING_S: Final = 8.0


async def run(share: float, site: Site, turn: Turn) -> Sample:
    """One turn at this share of the capacity. Raises WrongResultError, StuckError."""
    await log.skip_to_end(site)
    await rows.empty(site)
    notes = site.root / "watch.msgpack"
    watch = Program("watch", ("bench.load.watch", str(notes)), "/readyz", "PAYMENTS_METRICS_PORT")
    work = turn.work
    cut = int(len(work.deliveries) * FIRST)
    first, later = work.deliveries[:cut], work.deliveries[cut:]
    async with (
        running(STREAM, site, PAYMENTS_DATA_DIR=str(site.root / "stream")) as worker,
        running(INGRESS, site) as server,
    ):
        for part in (turn.warm_up, work):
            await log.feed(site, log.commands_as_records(part.commands))
        await log.until_processed(site)
        await rows.analyze(site)
        capacity = await _capacity(
            site, server, Turn(turn.warm_up, replace(work, deliveries=first))
        )
        rate = capacity * share
        due_s = [at for at in arrival_times(rate, len(later)) if at < ARRIVING_S]
        measured, rest = later[: len(due_s)], later[len(due_s) :]
        async with running(watch, site):
            arrivals = await http.send_when_due(site, server, measured, due_s)
            rss_mib = worker.rss_mib() + server.rss_mib()
            pairs = zip(measured, arrivals.statuses, strict=True)
            refused = [delivery for delivery, status in pairs if status == http.REFUSED]
            await log.feed(site, log.deliveries_as_records(refused))
            await log.until_processed(site)
        await log.feed(site, log.deliveries_as_records(rest))
        await log.until_processed(site)
    await rows.check(site, work)
    earlier = {delivery.event_id for delivery in first}
    arrived = arrived_at(measured, due_s, arrivals.begun_at, earlier)
    seen_at = msgspec.msgpack.decode(notes.read_bytes(), type=dict[str, float])
    delays_s = until_seen(arrived, await rows.versions(site, work), seen_at)
    others = {"p50_ms": quantile(delays_s, 0.50) * 1e3, "p99_ms": quantile(delays_s, 0.99) * 1e3}
    others["refused_share"] = len(refused) / len(measured)
    others |= {"max_ms": delays_s[-1] * 1e3, "capacity_per_s": capacity, "rss_mib": rss_mib}
    return Sample(len(measured), due_s[-1], others | _answers(arrivals, due_s))


async def _capacity(site: Site, server: Running, turn: Turn) -> float:
    """Webhooks per second through ingress and processor, from the first to the last publishing."""
    driven = await http.drive(site, server, turn)
    await log.until_processed(site)
    return driven.sample.count / (await rows.published_at(site) - driven.begun_at)


def arrival_times(rate: float, count: int) -> list[float]:
    """Arrival times in seconds of a Poisson process with ``rate`` arrivals per second."""
    draw, at, times = Chance(SEED), 0.0, []
    for number in range(count):
        at -= math.log(1.0 - draw.unit(number)) / rate
        times.append(at)
    return times


def arrived_at(
    deliveries: Sequence[Delivery],
    due_s: Sequence[float],
    begun_at: float,
    earlier: set[str],
) -> dict[str, float]:
    """When each event was due first, in seconds since the epoch; not of those that came earlier."""
    arrived: dict[str, float] = {}
    for delivery, due in zip(deliveries, due_s, strict=True):
        if delivery.event_id not in earlier:
            arrived.setdefault(delivery.event_id, begun_at + due)
    return arrived


def until_seen(
    arrived: dict[str, float], versions: dict[str, str], seen_at: dict[str, float]
) -> list[float]:
    """How long it took each event that made a version until that could be read; in order.

    ``versions`` has event ID to ``<payment ID>:<version>``, ``seen_at`` the latter to epoch
    seconds. Raises WrongResultError when a version was never seen.
    """
    made = [(at, versions[event]) for event, at in arrived.items() if event in versions]
    missing = sum(version not in seen_at for _, version in made)
    if missing or not made:
        raise WrongResultError(f"{missing} of {len(made)} versions were never seen")
    return sorted(seen_at[version] - at for at, version in made)


def _answers(arrivals: Arrivals, due_s: Sequence[float]) -> dict[str, float]:
    """What the sender of a webhook waits for, and how late the generator itself was."""
    pairs = zip(arrivals.answered_s, due_s, strict=True)
    answered = sorted(at - due for at, due in pairs)
    late = sorted(at - due for at, due in zip(arrivals.sent_s, due_s, strict=True))
    return {
        "answer_p50_ms": median(answered) * 1e3,
        "answer_p99_ms": quantile(answered, 0.99) * 1e3,
        "sent_late_p99_ms": quantile(late, 0.99) * 1e3,
    }

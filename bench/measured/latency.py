"""The latency from a webhook's arrival to the record in ``payment-state``, at partial load.

Each turn first measures the capacity of ingress and processor together: a part of the work in a
closed loop, until its last version is published. Then webhooks arrive at a share of that rate, at
times of a Poisson process, in an open loop. A webhook's latency begins at its due time, so it
includes the wait for a connection. It ends when a reader in another process, which reads committed
records only, has the record of the version that the webhook created. A webhook without a version is
not counted. A refused webhook (503) is repeated after all others, and its latency includes that.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Final

import msgspec

from bench.errors import WrongResultError
from bench.load import http, log, rows
from bench.load.events import Delivery
from bench.load.load import quantile
from bench.load.open_load import Arrivals
from bench.load.samples import Sample, Turn
from bench.measured.ingress import INGRESS
from bench.programs import STREAM, Program, Running, running
from bench.site import Site
from sandbox.stripe_simulator.chance import Chance

SEED: Final = "arrivals"
#: The share of the work with which the capacity is measured.
CAPACITY_SHARE: Final = 0.25
#: How long webhooks arrive, at most.
ARRIVING_S: Final = 8.0


async def run(share: float, site: Site, turn: Turn) -> Sample:
    """One turn at this share of the capacity. Raises WrongResultError, StuckError."""
    await log.skip_to_end(site)
    await rows.empty(site)
    times_file = site.root / "watch.msgpack"
    watch = Program(
        "watch", ("bench.load.watch", str(times_file)), "/readyz", "PAYMENTS_METRICS_PORT"
    )
    work = turn.work
    cut = int(len(work.deliveries) * CAPACITY_SHARE)
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
    # due within milliseconds of each other, webhooks are sent over several connections
    await rows.check(site, work, is_ordered=False)
    earlier = {delivery.event_id for delivery in first}
    arrived = arrived_at(measured, due_s, arrivals.begun_at, earlier)
    read_at = msgspec.msgpack.decode(times_file.read_bytes(), type=dict[str, float])
    delays_s = read_delays(arrived, await rows.versions(site, work), read_at)
    others = {"p50_ms": quantile(delays_s, 0.50) * 1e3, "p99_ms": quantile(delays_s, 0.99) * 1e3}
    others["refused_share"] = len(refused) / len(measured)
    others |= {"max_ms": delays_s[-1] * 1e3, "capacity_per_s": capacity, "rss_mib": rss_mib}
    return Sample(len(measured), due_s[-1], others | _response_figures(arrivals, due_s))


async def _capacity(site: Site, server: Running, turn: Turn) -> float:
    """Webhooks per second, from the first request to the last published version."""
    driven = await http.send_at_full_load(site, server, turn)
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
    """Each event's first due time, in seconds since the epoch, without the earlier events."""
    arrived: dict[str, float] = {}
    for delivery, due in zip(deliveries, due_s, strict=True):
        if delivery.event_id not in earlier:
            arrived.setdefault(delivery.event_id, begun_at + due)
    return arrived


def read_delays(
    arrived: dict[str, float], versions: dict[str, str], read_at: dict[str, float]
) -> list[float]:
    """The sorted delays from each event's arrival until its version was read.

    ``versions`` maps event IDs to ``<payment ID>:<version>``, and ``read_at`` the latter to seconds
    since the epoch. Raises WrongResultError if a version was never read.
    """
    made = [(at, versions[event]) for event, at in arrived.items() if event in versions]
    missing = sum(version not in read_at for _, version in made)
    if missing or not made:
        raise WrongResultError(f"{missing} of {len(made)} versions were never read")
    return sorted(read_at[version] - at for at, version in made)


def _response_figures(arrivals: Arrivals, due_s: Sequence[float]) -> dict[str, float]:
    """The sender's response times, and the delays of the generator itself."""
    pairs = zip(arrivals.answered_s, due_s, strict=True)
    answered = sorted(at - due for at, due in pairs)
    late = sorted(at - due for at, due in zip(arrivals.sent_s, due_s, strict=True))
    return {
        "answer_p50_ms": median(answered) * 1e3,
        "answer_p99_ms": quantile(answered, 0.99) * 1e3,
        "sent_late_p99_ms": quantile(late, 0.99) * 1e3,
    }

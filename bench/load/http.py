"""Sends signed webhooks over HTTP, at full load or at set times, to any program."""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from bench.errors import WrongResultError
from bench.load.events import Delivery
from bench.load.open_load import Arrivals, Schedule
from bench.load.samples import Sample, Turn
from bench.programs import Running, cpu_of_all_s, used_since_s
from bench.site import Site
from providers.stripe.webhooks import SIGNATURE_HEADER
from sandbox.stripe_simulator.webhooks.signing import signature_header
from sandbox.supervision import processes
from sandbox.supervision.ports import HOST
from sandbox.supervision.processes import Command
from sandbox.topology import PROJECT

#: The ingress's status if the broker does not acknowledge the record in time.
REFUSED: Final = "503"
PATH: Final = "/webhooks/stripe"
CONNECTIONS: Final = 64
#: Limits of an open loop's connections, of which there are as many as requests per second. So no
#: connection is idle long enough to be closed, and requests wait for one only if the server stalls.
CONNECTIONS_MIN, CONNECTIONS_MAX = 16, 1024
SENT_WITHIN_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """The figures, and when the first request was sent, in seconds since the epoch."""

    sample: Sample
    begun_at: float


async def send_at_full_load(site: Site, server: Running, turn: Turn) -> ClosedLoop:
    """Sends the warm-up, then the work, and measures the latter; CPU time covers both.

    Raises WrongResultError unless every response is 200, ProgramError if the generator fails or
    takes too long.
    """
    requests, figures = site.root / "requests.msgpack", site.root / "figures.json"
    phases = [_requests(site, part.deliveries) for part in (turn.warm_up, turn.work)]
    requests.write_bytes(msgspec.msgpack.encode(phases))
    argv = [sys.executable, "-m", "bench.load.load", str(requests), str(figures), HOST]
    argv += [str(server.port), str(CONNECTIONS)]
    own_s, all_s = server.cpu_s(), cpu_of_all_s()
    await processes.run(Command("load", argv, folder=PROJECT), site.logs, within=SENT_WITHIN_S)
    found = msgspec.json.decode(figures.read_bytes())
    sent = sum(phase["count"] for phase in found)
    cpu_us = (server.cpu_s() - own_s) / sent * 1e6
    all_cpu_us = used_since_s(all_s) / sent * 1e6
    for phase in found:
        if phase["statuses"] != {"200": phase["count"]}:
            raise WrongResultError(f"responses other than 200: {phase['statuses']}")
    work = found[-1]
    others = {name: work[name] for name in ("p50_ms", "p99_ms", "generator_cpu_us")}
    others |= {"cpu_us": cpu_us, "all_cpu_us": all_cpu_us}
    return ClosedLoop(Sample(work["count"], work["seconds"], others), work["begun_at"])


async def send_when_due(
    site: Site, server: Running, deliveries: Sequence[Delivery], due_s: Sequence[float]
) -> Arrivals:
    """Sends each webhook when it is due, in seconds from the beginning, in an open loop.

    Raises WrongResultError unless every response is 200 or 503; ProgramError if the generator fails
    or takes too long. The caller repeats requests with a 503.
    """
    schedule, arrivals = site.root / "schedule.msgpack", site.root / "arrivals.msgpack"
    schedule.write_bytes(msgspec.msgpack.encode(Schedule(_requests(site, deliveries), [*due_s])))
    argv = [sys.executable, "-m", "bench.load.open_load", str(schedule), str(arrivals), HOST]
    connections = min(CONNECTIONS_MAX, max(CONNECTIONS_MIN, round(len(due_s) / due_s[-1])))
    argv += [str(server.port), str(connections)]
    await processes.run(Command("open_load", argv, folder=PROJECT), site.logs, within=SENT_WITHIN_S)
    found = msgspec.msgpack.decode(arrivals.read_bytes(), type=Arrivals)
    if not {*found.statuses} <= {"200", REFUSED}:
        raise WrongResultError(f"responses other than 200 and 503: {Counter(found.statuses)}")
    return found


def _requests(site: Site, deliveries: Iterable[Delivery]) -> list[bytes]:
    """Complete requests with Stripe's headers, signed with the current time."""
    now = int(time.time())
    return [
        b"POST %s HTTP/1.1\r\nHost: %s\r\n"
        b"User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n"
        b"Accept: */*; q=0.5, application/xml\r\n"
        b"Cache-Control: no-cache\r\n"
        b"Content-Type: application/json; charset=utf-8\r\n"
        b"Content-Length: %d\r\n"
        b"%s: %s\r\n\r\n%s"
        % (
            PATH.encode(),
            HOST.encode(),
            len(delivery.body),
            SIGNATURE_HEADER.encode(),
            signature_header(delivery.body, site.webhook_secret, now).encode(),
            delivery.body,
        )
        for delivery in deliveries
    ]

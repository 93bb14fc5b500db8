"""Webhooks per second through the ingress: the real ``payments ingress``, one uvicorn worker.

Each webhook is verified and published, and gets a 200 once the broker has it. Nothing processes the
records here; the processor has its own benchmark.
"""

from collections import Counter
from dataclasses import replace
from typing import Final

from bench.errors import WrongResultError
from bench.load import http, log, rows
from bench.load.samples import Sample, Turn
from bench.programs import Program, running
from bench.site import Site
from providers.stripe.secrets_in_bodies import without_client_secrets
from schemas.topics import PROVIDER_WEBHOOKS

INGRESS: Final = Program("ingress", ("cli", "ingress"), "/readyz", "PAYMENTS_INGRESS_PORT")


async def run(site: Site, turn: Turn) -> Sample:
    """One turn of one worker. Raises WrongResultError."""
    return await shared(1, site, turn)


async def shared(workers: int, site: Site, turn: Turn) -> Sample:
    """One turn of this many workers on one port. Raises WrongResultError."""
    await rows.empty(site)
    begin = await log.ends(site)
    async with (
        running(INGRESS, site, PAYMENTS_INGRESS_WORKERS=str(workers)) as server,
        turn.watch(server),
    ):
        sample = (await http.send_at_full_load(site, server, turn)).sample
        rss_mib = server.rss_mib()
    expected = Counter(
        without_client_secrets(d.body)  # which the ingress cuts out
        for part in (turn.warm_up, turn.work)
        for d in part.deliveries
    )
    found = Counter(
        record.value for record in await log.read(site, begin) if record.topic == PROVIDER_WEBHOOKS
    )
    if found != expected:
        raise WrongResultError(
            f"{found.total()} records for {expected.total()} webhooks, "
            f"{(expected - found).total()} of them missing"
        )
    return replace(sample, others={**sample.others, "rss_mib": rss_mib})

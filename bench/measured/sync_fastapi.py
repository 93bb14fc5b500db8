"""The same webhooks, done synchronously: ``bench/peers/sync_fastapi``, one uvicorn worker.

It answers 200 once the event is deduplicated, decided and committed, so its figure stands beside
both the ingress (what the sender of a webhook sees) and the processor (the work that is done). It
publishes nothing.
"""

from typing import Final

from bench.load import http, rows
from bench.load.samples import Sample, Turn
from bench.programs import Program, running
from bench.site import Site

PEER: Final = Program(
    "sync_fastapi", ("bench.peers.sync_fastapi",), "/readyz", "PAYMENTS_INGRESS_PORT"
)


async def run(site: Site, turn: Turn) -> Sample:
    """One turn. Raises WrongResultError."""
    await rows.empty(site)
    await rows.create_payments(site, (*turn.warm_up.commands, *turn.work.commands))
    await rows.analyze(site)
    async with running(PEER, site) as server:
        sample = (await http.drive(site, server, turn)).sample
    await rows.check(site, turn.work)
    return sample

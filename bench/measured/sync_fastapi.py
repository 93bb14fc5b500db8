"""The same webhooks, processed synchronously: ``bench/peers/sync_fastapi``, one uvicorn worker.

It returns 200 once the event is deduplicated, decided and committed. So its figure is compared both
with the ingress (the same response time for the sender) and with the processor (the same work). It
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
        sample = (await http.send_at_full_load(site, server, turn)).sample
    await rows.check(site, turn.work)
    return sample

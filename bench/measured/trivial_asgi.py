"""The load generator's limit: an ASGI app that only reads the body and returns 200.

A figure near this limit measures the generator rather than the program.
"""

from typing import Final

from bench.load import http
from bench.load.samples import Sample, Turn
from bench.programs import Program, running
from bench.site import Site

TRIVIAL: Final = Program(
    "trivial_asgi", ("bench.peers.trivial_asgi",), "/readyz", "PAYMENTS_INGRESS_PORT"
)


async def run(site: Site, turn: Turn) -> Sample:
    """One turn. Raises WrongResultError."""
    async with running(TRIVIAL, site) as server:
        return (await http.send_at_full_load(site, server, turn)).sample

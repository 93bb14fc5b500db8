"""What the load generator can do: an ASGI app that reads the body and answers 200, no more.

A figure that comes near this ceiling says more of the generator than of the program it measures.
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
        return (await http.drive(site, server, turn)).sample

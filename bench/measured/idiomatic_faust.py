"""Webhooks per second through an idiomatic Faust program: ``bench/peers/idiomatic_faust``.

``reading.py`` measures it, until the last event was handled by the program's own metrics. This does
not include the delivery of the new state, for which the program does not wait.
"""

from typing import Final

from bench.load.samples import Sample, Turn
from bench.peers.idiomatic_faust.app import APP_ID
from bench.programs import Program
from bench.reading import PORT_VARIABLE, READY, Peer, do_the_work, last_record_at
from bench.site import Site

PEER: Final = Peer(
    Program("idiomatic_faust", ("bench.peers.idiomatic_faust",), READY, PORT_VARIABLE), APP_ID
)


async def run(site: Site, turn: Turn) -> Sample:
    """One turn. Raises WrongResultError, StuckError."""
    count = len(turn.work.deliveries)
    done, shares = await do_the_work(site, turn, PEER, last_record_at)
    return Sample(count, done.seconds, {**done.cpu_us(count), **shares})

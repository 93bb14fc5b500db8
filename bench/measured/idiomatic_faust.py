"""Webhooks per second through the processor's idiomatic form: ``bench/peers/idiomatic_faust``.

Measured as ``reading.py`` says, until the last event was handled, as the program notes itself: its
state's delivery, which the idiom does not wait for, is not in it.
"""

from typing import Final

from bench.load.samples import Sample, Turn
from bench.peers.idiomatic_faust.app import APP_ID
from bench.programs import Program
from bench.reading import PORT_VARIABLE, READY, Peer, do_the_work, noted_at
from bench.site import Site

PEER: Final = Peer(
    Program("idiomatic_faust", ("bench.peers.idiomatic_faust",), READY, PORT_VARIABLE), APP_ID
)


async def run(site: Site, turn: Turn) -> Sample:
    """One turn. Raises WrongResultError, StuckError."""
    count = len(turn.work.deliveries)
    done, shares = await do_the_work(site, turn, PEER, noted_at)
    return Sample(count, done.seconds, {**done.cpu_us(count), **shares})

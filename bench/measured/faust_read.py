"""Records per second of a Faust app without work: ``bench/peers/faust_read.py``.

An upper bound: it only reads and commits. ``reading.py`` measures it, until the last record.
"""

from typing import Final

from bench.load.samples import Sample, Turn
from bench.programs import Program
from bench.reading import PORT_VARIABLE, READY, Peer, only_read
from bench.site import Site
from schemas.topics import APP_ID

PEER: Final = Peer(Program("faust_read", ("bench.peers.faust_read",), READY, PORT_VARIABLE), APP_ID)


async def run(site: Site, turn: Turn) -> Sample:
    """One turn. Raises WrongResultError, StuckError."""
    return await only_read(site, turn, PEER)

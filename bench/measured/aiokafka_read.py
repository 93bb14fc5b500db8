"""Records per second of a plain aiokafka consumer: ``bench/peers/aiokafka_read.py``, one process.

An upper bound: it only reads and commits. ``reading.py`` measures it, until the last record.
"""

from typing import Final

from bench.load.samples import Sample, Turn
from bench.peers.aiokafka_read import GROUP
from bench.programs import Program
from bench.reading import PORT_VARIABLE, READY, Peer, only_read
from bench.site import Site

PEER: Final = Peer(
    Program("aiokafka_read", ("bench.peers.aiokafka_read",), READY, PORT_VARIABLE), GROUP
)


async def run(site: Site, turn: Turn) -> Sample:
    """One turn. Raises WrongResultError, StuckError."""
    return await only_read(site, turn, PEER)

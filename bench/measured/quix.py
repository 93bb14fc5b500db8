"""Webhooks per second through quix-streams doing the processor's job: ``bench/peers/quix``.

``reading.py`` measures it like the processor, until the last version is marked as published, by the
rows' own timestamps.
"""

from typing import Final

from bench import reading
from bench.errors import BenchError
from bench.load import rows
from bench.load.samples import Sample, Turn
from bench.peers.quix.group import GROUP
from bench.programs import Program, Running
from bench.site import Site
from sandbox.topology import PROJECT

PYTHON: Final = PROJECT / ".venv-quix" / "bin" / "python"
PEER: Final = reading.Peer(
    Program("quix", ("bench.peers.quix",), reading.READY, reading.PORT_VARIABLE, str(PYTHON)),
    GROUP,
)


async def run(site: Site, turn: Turn) -> Sample:
    """One turn. Raises WrongResultError, StuckError, BenchError without quix."""
    if not PYTHON.exists():
        raise BenchError(f"{PYTHON} is missing: `make bench` creates it")

    async def published_at(_worker: Running) -> float:
        return await rows.published_at(site)

    count = len(turn.work.deliveries)
    done, shares = await reading.do_the_work(site, turn, PEER, published_at)
    await rows.check_duplicates(site, turn.work)
    return Sample(count, done.seconds, {**done.cpu_us(count), **shares})

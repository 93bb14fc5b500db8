"""The processor's peers do the same work, with correct results."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import psutil  # type: ignore[import-untyped] # it ships no types
import pytest

from bench import reading
from bench.benchmarks import BY_NAME
from bench.load.samples import Turn
from bench.load.workload import generate
from bench.measured import quix
from bench.profiling.profile import PROFILED
from bench.programs import Running
from bench.site import Site

#: Enough for every course, with a repeated and a late event of each.
PAYMENTS = 30
WARM_UP = 5
#: `make test` creates it. Without `make` it may be missing.
NEEDS_QUIX = pytest.mark.skipif(
    not quix.PYTHON.exists() and "CI" not in os.environ, reason="needs .venv-quix"
)


def _turn(name: str) -> Turn:
    return Turn(generate(6, f"{name}-warm", WARM_UP), generate(7, name, PAYMENTS))


@pytest.mark.parametrize(
    "name", ["processor", "idiomatic_faust", pytest.param("quix", marks=NEEDS_QUIX)]
)
def test_a_peer_brings_every_payment_to_its_end(site: Site, name: str) -> None:
    """A turn has figures only if every event, end and version is right."""
    turn = _turn(name)
    sample = asyncio.run(BY_NAME[name].run(site, turn))
    assert sample.count == len(turn.work.deliveries)
    assert sample.seconds > 0
    assert sample.others["all_cpu_us"] > sample.others["cpu_us"] > 0
    assert sample.others["applied_share"] > sample.others["stale_share"] > 0


def test_rows_without_a_log_pass_the_check(site: Site) -> None:
    """They pass the same check as the processor's rows."""
    turn = _turn("rows")
    sample = asyncio.run(BY_NAME["postgres_rows"].run(site, turn))
    assert sample.count == len(turn.work.deliveries)
    assert sample.others["all_cpu_us"] > sample.others["cpu_us"] > 0


@pytest.mark.parametrize("name", PROFILED)
def test_a_profiled_program_can_be_watched(site: Site, name: str) -> None:
    """The program is running when the watch begins, and works during it."""
    states: list[str] = []

    @asynccontextmanager
    async def watch(running: Running) -> AsyncIterator[None]:
        process = psutil.Process(running.child.process.pid)
        states.append(process.status())
        used_s = running.cpu_s()
        yield
        states.append("worked" if running.cpu_s() > used_s else "idle")

    sample = asyncio.run(BY_NAME[name].run(site, replace(_turn(f"{name}-watched"), watch=watch)))
    assert sample.count > 0
    begun, ended = states
    assert begun in {psutil.STATUS_RUNNING, psutil.STATUS_SLEEPING}
    assert ended == "worked"


@pytest.mark.parametrize("name", ["faust_read", "aiokafka_read"])
def test_a_reader_reads_every_record(site: Site, name: str) -> None:
    """A turn fails unless each record was read exactly once."""
    turn = _turn(name)
    sample = asyncio.run(BY_NAME[name].run(site, turn))
    assert sample.count == reading.READ_TIMES * len(turn.work.deliveries)
    # its processor time is counted in ticks of 10 ms, and a fast machine needs less
    assert sample.others["all_cpu_us"] >= sample.others["cpu_us"] >= 0

"""What Postgres does for a service to which nothing comes, while much waits in store."""

import asyncio
from typing import Final

import psutil  # type: ignore[import-untyped] # it ships no types
import psycopg

from bench.errors import BenchError
from bench.measured.ingress import INGRESS
from bench.programs import STREAM, Program, running
from bench.site import Site

WORKER: Final = Program("worker", ("cli", "worker"), "/readyz", "PAYMENTS_METRICS_PORT")
#: After the start: sweeps that begin at once, and the first round of what is due.
SETTLES_WITHIN_S: Final = 60.0
MEASURED_S: Final = 60.0
#: Webhooks of a whole year wait, so none may be too old.
MAX_AGE_S: Final = str(500 * 86_400)
POSTMASTER: Final = "select pg_read_file('postmaster.pid')"

#: Autovacuum looks at the tables that were just filled. That is the filling's cost.
VACUUMED_WITHIN_S: Final = 900.0
#: Autovacuum starts its workers a minute apart, so none may be seen for that long.
QUIET_S: Final = 70.0
POLL_S: Final = 5.0
VACUUMING: Final = """
    select count(*) from pg_stat_activity where backend_type = 'autovacuum worker'"""


async def measure(year: Site) -> float:
    """The share of a core that Postgres takes while all programs wait.

    The provider can't be reached: nothing listens at its address.
    """
    folder = str(year.root / "idle")
    async with (
        running(STREAM, year, PAYMENTS_DATA_DIR=folder),
        running(WORKER, year, PAYMENTS_UNROUTED_MAX_AGE_S=MAX_AGE_S),
        running(INGRESS, year),
    ):
        await asyncio.sleep(SETTLES_WITHIN_S)
        await _vacuumed(year.database_url)
        server = await asyncio.to_thread(_server, year.database_url)
        before = _cpu_s(server)
        await asyncio.sleep(MEASURED_S)
        return (_cpu_s(server) - before) / MEASURED_S


async def _vacuumed(database_url: str) -> None:
    """Waits until autovacuum has left the tables alone for a while."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        now = asyncio.get_running_loop().time
        quiet_since, deadline = now(), now() + VACUUMED_WITHIN_S
        while now() - quiet_since < QUIET_S:
            if now() > deadline:
                raise BenchError(f"autovacuum was not done after {VACUUMED_WITHIN_S:.0f} s")
            cursor = await connection.execute(VACUUMING)
            if await cursor.fetchone() != (0,):
                quiet_since = now()
            await asyncio.sleep(POLL_S)


def _server(database_url: str) -> psutil.Process:
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(POSTMASTER).fetchone()
    assert row is not None  # noqa: S101  # a function has a value
    return psutil.Process(int(row[0].split()[0]))


def _cpu_s(server: psutil.Process) -> float:
    """CPU time of the server: of its present processes, and of those that ended."""
    times = server.cpu_times()
    ended = times.children_user + times.children_system
    present = [server, *server.children(recursive=True)]
    return float(ended + sum(t.user + t.system for t in (p.cpu_times() for p in present)))

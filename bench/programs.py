"""Programs under measurement: started, paused, looked at, stopped."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import psutil  # type: ignore[import-untyped] # it ships no types

from bench.site import Site
from sandbox.supervision import processes
from sandbox.supervision.ports import HOST, free_ports
from sandbox.supervision.processes import Child, Command
from sandbox.supervision.readiness import Condition, answers_http
from sandbox.topology import PROJECT

READY_WITHIN_S: Final = 60.0
POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Program:
    """A program that serves HTTP; ``ready`` answers 200 once it does its work.

    Args:
        name: names its log.
        arguments: of ``python -m``.
        ready: a path on ``port``.
        port_variable: the environment variable that sets ``port``.
        python: the interpreter that has what the program needs.
    """

    name: str
    arguments: tuple[str, ...]
    ready: str
    port_variable: str
    python: str = sys.executable


def cpu_of_all_s() -> dict[int, float]:
    """Processor time used so far by each process under this one: programs, Kafka, Postgres."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found[process.pid] = _used_s(process)
    return found


def used_since_s(before: dict[int, float]) -> float:
    """What all of them that are still there have used since then."""
    return sum(used - before.get(pid, 0.0) for pid, used in cpu_of_all_s().items())


def _used_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Running:
    """A program that is ready."""

    child: Child
    port: int

    def cpu_s(self) -> float:
        """Processor time it has used so far, its threads' and the kernel's for it included."""
        return sum(_used_s(process) for process in self._processes())

    def rss_mib(self) -> float:
        """Memory that it holds now; what its workers share is counted in each."""
        return sum(float(process.memory_info().rss) for process in self._processes()) / 2**20

    def _processes(self) -> list[psutil.Process]:
        """It, and the workers it has started."""
        first = psutil.Process(self.child.process.pid)
        return [first, *first.children(recursive=True)]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Holds it still, so that work can be laid before it; it goes on at the end."""
        self.child.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.child.process.send_signal(signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class Together:
    """Several programs as if they were one."""

    all: tuple[Running, ...]

    def cpu_s(self) -> float:
        """See Running."""
        return sum(each.cpu_s() for each in self.all)

    def rss_mib(self) -> float:
        """See Running."""
        return sum(each.rss_mib() for each in self.all)

    def stop(self) -> None:
        """Asks all of them at once: who is asked while another leaves is in a rebalance."""
        for each in self.all:
            each.child.process.terminate()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """See Running."""
        with ExitStack() as stack:
            for each in self.all:
                stack.enter_context(each.paused())
            yield


@asynccontextmanager
async def running(program: Program, site: Site, **variables: str) -> AsyncIterator[Running]:
    """Starts the program on a free port, and stops it. Raises ProgramError.

    What it leaves in its folder of temporary files is gone with the site.
    """
    (port,) = free_ports(1)
    shared = {
        **site.environment,
        **variables,
        program.port_variable: str(port),
        "TMPDIR": str(site.root),
    }
    argv = (program.python, "-m", *program.arguments)
    child = await processes.spawn(
        Command(program.name, argv, environment=shared, folder=PROJECT), site.logs
    )
    try:
        await _until_ready(child, answers_http(f"http://{HOST}:{port}{program.ready}"))
        yield Running(child, port)
    finally:
        await processes.stop(child)


async def _until_ready(child: Child, ready: Condition) -> None:
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            while not await ready():
                if child.process.returncode is not None:
                    raise child.failure(child.exit_reason())
                await asyncio.sleep(POLL_S)
    except TimeoutError as error:
        raise child.failure(f"was not ready within {READY_WITHIN_S:g} s") from error

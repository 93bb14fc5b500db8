"""Starts, pauses, observes and stops the measured programs."""

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
    """A program that serves HTTP; ``ready`` returns 200 once the program does its work.

    Args:
        name: the name of its log.
        arguments: of ``python -m``.
        ready: a path on ``port``.
        port_variable: the environment variable that sets ``port``.
        python: the interpreter with the program's packages.
    """

    name: str
    arguments: tuple[str, ...]
    ready: str
    port_variable: str
    python: str = sys.executable


def cpu_of_all_s() -> dict[int, float]:
    """CPU time so far of each child process: programs, Kafka, Postgres."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            found[process.pid] = used_s(process)
    return found


def used_since_s(before: dict[int, float]) -> float:
    """CPU time since then of the child processes that still run."""
    return sum(used - before.get(pid, 0.0) for pid, used in cpu_of_all_s().items())


def used_s(process: psutil.Process) -> float:
    """CPU time so far of a process, user and system, without its children."""
    times = process.cpu_times()
    return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Running:
    """A program that is ready."""

    child: Child
    port: int

    def cpu_s(self) -> float:
        """CPU time so far of all its threads, user and system."""
        return sum(used_s(process) for process in self._processes())

    def rss_mib(self) -> float:
        """Its current memory. Memory that its workers share is counted for each."""
        return sum(float(process.memory_info().rss) for process in self._processes()) / 2**20

    def _processes(self) -> list[psutil.Process]:
        """The program and its worker processes."""
        first = psutil.Process(self.child.process.pid)
        return [first, *first.children(recursive=True)]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stops the program during the block, so that work can be prepared."""
        self.child.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.child.process.send_signal(signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class Programs:
    """Several programs, measured as one."""

    all: tuple[Running, ...]

    def cpu_s(self) -> float:
        """See Running."""
        return sum(each.cpu_s() for each in self.all)

    def rss_mib(self) -> float:
        """See Running."""
        return sum(each.rss_mib() for each in self.all)

    def stop(self) -> None:
        """Stops all at the same time, so that none ends during a rebalance."""
        for each in self.all:
            each.child.process.terminate()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """See Running."""
        with ExitStack() as stack:
            for each in self.all:
                stack.enter_context(each.paused())
            yield


#: The worker that is measured most.
STREAM: Final = Program("stream", ("cli", "stream"), "/readyz", "PAYMENTS_METRICS_PORT")


@asynccontextmanager
async def running(program: Program, site: Site, **variables: str) -> AsyncIterator[Running]:
    """Starts the program on a free port, and stops it at the end. Raises ProgramError.

    Its temporary files are removed with the site.
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

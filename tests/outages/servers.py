"""A test's own brokers and Postgres, which it may kill and restart."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from messaging.topic_admin import create_topics
from sandbox.servers import kafka, postgres
from sandbox.servers.java import Java
from sandbox.supervision.ports import free_ports
from sandbox.supervision.reaper import Reaper
from sandbox.supervision.supervisor import Program
from sandbox.testing import Infrastructure
from schemas.settings import KafkaSettings
from tests.conftest import PARTITIONS

READY_WITHIN_S: Final = 90.0
#: Enough for tests, and small enough for several brokers on one machine.
HEAP: Final = "256m"


@dataclass
class Server:
    """One broker, or Postgres. Its data survives its end."""

    program: Program
    logs: Path
    reaper: Reaper
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; does not wait."""
        command = self.program.command
        with (self.logs / f"{command.name}.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  # our own programs
                command.argv,
                env={**os.environ, **command.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=command.user.uid if command.user else None,
                group=command.user.gid if command.user else None,
                extra_groups=[] if command.user else None,
            )
        self.reaper.add(self.process.pid)

    async def until_ready(self) -> None:
        """Returns once it is ready. Raises TimeoutError."""
        async with asyncio.timeout(READY_WITHIN_S):
            while not await self.program.ready():  # noqa: ASYNC110  # only it knows when
                await asyncio.sleep(0.05)  # polling interval

    def end(self, number: signal.Signals) -> None:
        """Ends it with this signal, and waits for its end."""
        if self.process is None:
            raise ValueError(f"{self.program.name} was never started")
        self.process.send_signal(number)
        self.process.wait()
        self.reaper.remove(self.process.pid)

    def stop(self) -> None:
        """Ends it, if it is running."""
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL if self.program.command.user is None else signal.SIGQUIT)


@dataclass(frozen=True)
class Servers:
    """All servers, and their addresses."""

    brokers: tuple[Server, ...]
    database: Server
    infrastructure: Infrastructure


@contextmanager
def running_servers(root: Path, brokers: int = 1) -> Iterator[Servers]:
    """Starts them, and ends them at the end. Enter it on the main thread, outside any event loop.

    Raises:
        SandboxError: one of them could not be installed or started.
    """
    logs, reaper = root / "logs", Reaper()
    *ports, database_port = free_ports(2 * brokers + 1)
    nodes, database = asyncio.run(_made(root, logs, ports, database_port))
    with ExitStack() as stack:
        reaper.start()
        stack.callback(reaper.stop)
        servers = Servers(
            tuple(Server(node.program(), logs, reaper) for node in nodes),
            Server(database.program(), logs, reaper),
            Infrastructure(kafka.bootstrap(nodes), database.url()),
        )
        for server in (*servers.brokers, servers.database):
            stack.callback(server.stop)
            server.start()
        asyncio.run(_ready(servers))
        yield servers


async def _made(
    root: Path, logs: Path, ports: list[int], database_port: int
) -> tuple[tuple[kafka.Broker, ...], postgres.Server]:
    """Creates the folders of all servers."""
    java: Java = await kafka.fetch(lambda _come, _total: None)
    if not java.cache.exists():
        await kafka.record(java)
    half = len(ports) // 2
    java = java.with_heap(HEAP)
    nodes = kafka.cluster(root / "kafka", ports[:half], ports[half:], java)
    database = postgres.server(root / "postgres", database_port)
    await asyncio.gather(*(node.format(logs) for node in nodes), database.initialize(logs))
    return nodes, database


async def _ready(servers: Servers) -> None:
    every = (*servers.brokers, servers.database)
    await asyncio.gather(*(server.until_ready() for server in every))


def topics(bootstrap: str, copies: int) -> None:
    """Creates every topic with this replication factor."""
    settings = KafkaSettings(
        kafka_bootstrap=bootstrap, partitions=PARTITIONS, replication_factor=copies
    )
    asyncio.run(create_topics(settings))

"""A test's own brokers and Postgres, which it may kill and restart."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from messaging.topic_admin import create_topics
from sandbox.servers import kafka, postgres
from sandbox.servers.java import Java
from sandbox.supervision.ports import free_ports
from sandbox.supervision.supervisor import Program
from sandbox.testing import Infrastructure
from schemas.settings import KafkaSettings
from tests.conftest import PARTITIONS
from tests.support.managed_process import ManagedProcess
from tests.support.waiting import until

READY_WITHIN_S: Final = 90.0
#: Enough for tests, and small enough for several brokers on one machine.
HEAP: Final = "256m"


class Server(ManagedProcess):
    """One broker, or Postgres. Its data survives its end."""

    def __init__(self, program: Program, logs: Path) -> None:
        super().__init__(program.command, logs)
        self._ready = program.ready

    async def until_ready(self) -> None:
        """Returns once it is ready. Raises TimeoutError."""
        await until(self._ready, READY_WITHIN_S)

    def stop(self) -> None:
        """Ends it if it is running. Postgres shuts down in immediate mode."""
        if self.is_running:
            self.end(signal.SIGKILL if self.command.user is None else signal.SIGQUIT)


@dataclass(frozen=True)
class Servers:
    """All servers, and their addresses."""

    brokers: tuple[Server, ...]
    database: Server
    infrastructure: Infrastructure


@contextmanager
def running_servers(root: Path, brokers: int = 1) -> Iterator[Servers]:
    """Starts the servers, and ends them at the end. Enter it on the main thread, without a loop.

    Raises:
        SandboxError: one of them could not be installed or started.
    """
    logs = root / "logs"
    *ports, database_port = free_ports(2 * brokers + 1)
    nodes, database = asyncio.run(_create(root, logs, ports, database_port))
    with ExitStack() as stack:
        servers = Servers(
            tuple(Server(node.program(), logs) for node in nodes),
            Server(database.program(), logs),
            Infrastructure(kafka.bootstrap(nodes), database.url()),
        )
        for server in (*servers.brokers, servers.database):
            stack.callback(server.stop)
            server.start()
        asyncio.run(_until_ready(servers))
        yield servers


async def _create(
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


async def _until_ready(servers: Servers) -> None:
    every = (*servers.brokers, servers.database)
    await asyncio.gather(*(server.until_ready() for server in every))


def create_every_topic(bootstrap: str, copies: int) -> None:
    """Creates every topic with this replication factor."""
    settings = KafkaSettings(
        kafka_bootstrap=bootstrap, partitions=PARTITIONS, replication_factor=copies
    )
    asyncio.run(create_topics(settings))

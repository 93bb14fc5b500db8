"""A real Kafka and a real PostgreSQL for tests, on free ports."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.servers import kafka, postgres
from sandbox.servers.java import Java
from sandbox.supervision.ports import free_ports
from sandbox.supervision.supervisor import Supervisor


@dataclass(frozen=True)
class Infrastructure:
    """The addresses of the running servers.

    Args:
        kafka_bootstrap: ``host:port`` of the broker.
        database_url: a libpq URL, password included.
    """

    kafka_bootstrap: str
    database_url: str


@contextmanager
def running_infrastructure(root: Path) -> Iterator[Infrastructure]:
    """Start both, and stop them at the end; their data stays in ``root`` for the next session.

    Enter it on the main thread (see ``processes.spawn``), outside of any event loop.

    Raises:
        SandboxError: one of them could not be installed or started.
    """
    logs = root / "logs"
    port, controller_port, database_port = free_ports(3)
    with asyncio.Runner() as runner:
        java = runner.run(installed_kafka())
        brokers = kafka.cluster(root / "kafka", [port], [controller_port], java)
        database = postgres.server(root / "postgres", database_port)
        supervisor = Supervisor(logs)
        try:
            runner.run(supervisor.__aenter__())
            runner.run(
                supervisor.start([*kafka.steps(brokers, logs), *postgres.steps(database, logs)])
            )
            yield Infrastructure(kafka.bootstrap(brokers), database.url())
        finally:
            runner.run(supervisor.stop())


async def installed_kafka() -> Java:
    """The Java that runs Kafka, with jars and cache in place. Raises SandboxError."""
    java = await kafka.fetch(lambda _come, _total: None)
    if not java.cache.exists():
        await kafka.record(java)
    return java

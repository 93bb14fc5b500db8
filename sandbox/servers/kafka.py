"""A real Apache Kafka in KRaft mode, one node or several, without Docker."""

import asyncio
import base64
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from sandbox.servers import jars
from sandbox.servers.java import Java, default_java
from sandbox.supervision.ports import HOST, free_ports
from sandbox.supervision.processes import Command, run
from sandbox.supervision.readiness import kafka_answers
from sandbox.supervision.supervisor import Job, Program, Step, Supervisor

SERVER_CLASS: Final = "kafka.Kafka"
STORAGE_CLASS: Final = "kafka.tools.StorageTool"
READY_WITHIN_SECONDS: Final = 60.0
FORMAT_WITHIN_SECONDS: Final = 60.0
RECORD_WITHIN_SECONDS: Final = 60.0

PROPERTIES: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    # A misspelt topic is an error, not a new topic.
    "auto.create.topics.enable": "false",
    # The first member of a group does not wait for others to join.
    "group.initial.rebalance.delay.ms": "0",
    # Tests use session timeouts below the default minimum of six seconds.
    "group.min.session.timeout.ms": "1000",
    # A killed node may rejoin after this time instead of nine seconds.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # 50 partitions of each would mean 100 folders to open at every start.
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.num.partitions": "8",
    "log.cleaner.dedupe.buffer.size": str(16 << 20),
}

Progress = Callable[[int, int], None]
"""Called with the bytes downloaded so far, and the total."""


@dataclass(frozen=True)
class Broker:
    """One node of a cluster.

    Args:
        directory: the node's folder: its configuration and, in ``data/``, its logs.
        node_id: its number in the cluster.
        port: where clients connect, on the loopback interface.
        voters: each node's controller port by node id, the same on every node.
        cluster_id: identifies the cluster; equal on every node, and never changes.
        java: how to start it.
        extra_listeners: further listeners by name: the port to listen on, and the port to advertise
            to clients, which may be a proxy's.
    """

    directory: Path
    node_id: int
    port: int
    voters: Mapping[int, int]
    cluster_id: str
    java: Java
    extra_listeners: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``kafka`` for a single node, otherwise ``kafka-<node id>``."""
        return "kafka" if len(self.voters) == 1 else f"kafka-{self.node_id}"

    def properties(self) -> dict[str, str]:
        """The content of server.properties."""
        copies = str(min(3, len(self.voters)))
        in_sync = str(min(2, len(self.voters)))
        listeners = {"PLAINTEXT": (self.port, self.port), **self.extra_listeners}
        protocols = PROPERTIES["listener.security.protocol.map"].split(",")
        return {
            **PROPERTIES,
            "node.id": str(self.node_id),
            "controller.quorum.voters": ",".join(
                f"{node}@{HOST}:{port}" for node, port in sorted(self.voters.items())
            ),
            "listeners": ",".join(
                [
                    *(f"{name}://{HOST}:{port}" for name, (port, _) in listeners.items()),
                    f"CONTROLLER://{HOST}:{self.voters[self.node_id]}",
                ]
            ),
            "advertised.listeners": ",".join(
                f"{name}://{HOST}:{port}" for name, (_, port) in listeners.items()
            ),
            "listener.security.protocol.map": ",".join(
                [*protocols, *(f"{name}:PLAINTEXT" for name in self.extra_listeners)]
            ),
            "log.dirs": str(self.directory / "data"),
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "min.insync.replicas": in_sync,
        }

    def write_properties(self) -> Path:
        """Write server.properties and return its path."""
        path = self.directory / "server.properties"
        self.directory.mkdir(parents=True, exist_ok=True)
        lines = (f"{key}={value}\n" for key, value in self.properties().items())
        path.write_text("".join(lines))
        return path

    async def format(self, logs: Path) -> None:
        """Format the data folder for this cluster, unless it is formatted.

        Raises:
            ProgramError: Kafka's storage tool failed.
        """
        properties = self.write_properties()
        if (self.directory / "data" / "meta.properties").exists():
            return
        argv = self.java.argv(
            STORAGE_CLASS,
            *("format", "--ignore-formatted", "-t", self.cluster_id, "-c", str(properties)),
        )
        command = Command(f"{self.name}-format", argv)
        await run(command, logs, within=FORMAT_WITHIN_SECONDS)

    def program(self, needs: tuple[str, ...] = ()) -> Program:
        """The broker as a program; its data folder must be formatted before it starts."""
        properties = self.directory / "server.properties"
        return Program(
            Command(
                self.name,
                self.java.argv(SERVER_CLASS, str(properties)),
                stop_within=RECORD_WITHIN_SECONDS if self.java.record else 15.0,
            ),
            ready=kafka_answers(f"{HOST}:{self.port}", len(self.voters)),
            ready_within=READY_WITHIN_SECONDS,
            needs=needs,
        )


def cluster(
    directory: Path, ports: Sequence[int], controller_ports: Sequence[int], java: Java
) -> tuple[Broker, ...]:
    """The brokers of one cluster, one for each of ``ports``.

    Args:
        directory: for the cluster's ID and one folder per node.
        ports: where clients connect to each node.
        controller_ports: where the nodes connect to each other.
        java: how to start them.
    """
    voters = dict(enumerate(controller_ports, start=1))
    cluster_id = _cluster_id(directory)
    return tuple(
        Broker(directory / f"node-{node}", node, port, voters, cluster_id, java)
        for node, port in enumerate(ports, start=1)
    )


def bootstrap(brokers: Sequence[Broker]) -> str:
    """The brokers' addresses, for clients."""
    return ",".join(f"{HOST}:{broker.port}" for broker in brokers)


def steps(brokers: Sequence[Broker], logs: Path, needs: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """Steps that format each broker if needed, then start it; each has its broker's name."""
    return tuple(
        step
        for broker in brokers
        for step in (
            Job(f"{broker.name} format", partial(broker.format, logs), needs),
            broker.program((f"{broker.name} format",)),
        )
    )


async def fetch(progress: Progress, folder: Path | None = None) -> Java:
    """Download Kafka's missing jars, and return the Java that runs it.

    Raises:
        DownloadError: a jar could not be fetched.
    """
    folder = folder or jars.cache_folder()
    absent = jars.missing(folder)
    total, come = sum(jar.size for jar in absent), 0
    loop = asyncio.get_running_loop()

    def advance(count: int) -> None:
        nonlocal come
        come += count
        progress(come, total)

    def advance_from_thread(count: int) -> None:
        loop.call_soon_threadsafe(advance, count)

    if absent:
        # Imported late: it takes half a second, and only a first start needs it.
        from sandbox.servers import jar_download  # noqa: PLC0415 -- see above

        await asyncio.to_thread(jar_download.download, folder, advance_from_thread)
    return default_java(folder)


async def record(java: Java) -> None:
    """Record the ahead-of-time cache from one start of a broker, in about ten seconds.

    Raises:
        ProgramError: the broker did not start.
    """
    with tempfile.TemporaryDirectory(dir=java.cache.parent, prefix=".record-") as scratch:
        root = Path(scratch)
        recording = java.recording(root / java.cache.name)
        ports, controller_ports = free_ports(1), free_ports(1)
        (broker,) = cluster(root, ports, controller_ports, recording)
        await replace(broker, java=java).format(root)
        async with Supervisor(root) as supervisor:
            await supervisor.start([broker.program()])
        # Java may write none; then brokers start without it, only slower.
        if recording.cache.exists():
            recording.cache.replace(java.cache)


def _cluster_id(directory: Path) -> str:
    """The cluster's ID, generated at its first start."""
    path = directory / "cluster.id"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(_new_cluster_id())
    return path.read_text().strip()


def _new_cluster_id() -> str:
    """A random UUID in Kafka's encoding, which must not begin like a command-line option."""
    while (name := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))[0] == "-":
        pass
    return name

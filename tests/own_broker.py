"""A test's own broker, which it may freeze, kill and restart."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from sandbox.servers import kafka
from sandbox.supervision.ports import free_ports
from sandbox.supervision.processes import Child, spawn, stop
from schemas.topics import TOPICS
from tests.support.waiting import until

BACK_WITHIN_S = 60.0


@dataclass
class OwnBroker:
    """A broker that a test may stop, kill and restart."""

    broker: kafka.Broker
    logs: Path
    child: Child | None = None

    @property
    def bootstrap(self) -> str:
        """Its address."""
        return kafka.bootstrap([self.broker])

    async def start(self) -> None:
        """Starts it, and waits until it is ready."""
        program = self.broker.program()
        self.child = await spawn(program.command, self.logs)
        await until(program.ready, BACK_WITHIN_S)

    def signal(self, number: signal.Signals) -> None:
        """Sends SIGSTOP, SIGCONT or SIGKILL."""
        if self.child is None:
            raise ValueError("it was never started")
        os.killpg(self.child.group, number)

    async def make_topics(self) -> None:
        """Creates all topics."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(topic.name, 4, 1) for topic in TOPICS])
        finally:
            await admin.close()


@asynccontextmanager
async def own_broker(folder: Path) -> AsyncIterator[OwnBroker]:
    """A formatted broker in this folder, not started; killed at the end."""
    port, controller_port = free_ports(2)
    java = await kafka.fetch(lambda _come, _total: None)
    (node,) = kafka.cluster(folder / "kafka", [port], [controller_port], java)
    await node.format(folder / "logs")
    own = OwnBroker(node, folder / "logs")
    try:
        yield own
    finally:
        if own.child is not None:
            own.signal(signal.SIGCONT)
            own.signal(signal.SIGKILL)
            await stop(own.child)

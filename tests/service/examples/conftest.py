"""A consumer of ``examples/`` with a table of its own. No payment of these tests is left open."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.supervision.processes import Command
from tests.service.examples.consumers import CONSUMERS, Example, Rows
from tests.service.examples.ending import end_all
from tests.service.stack import Stack
from tests.support.managed_process import ManagedProcess


@pytest.fixture(scope="module", autouse=True)
def _ends_payments(stack: Stack) -> Iterator[None]:
    yield
    asyncio.run(end_all(stack))


@dataclass
class RunningConsumer(ManagedProcess):
    """A consumer as a process, and its table."""

    example: Example
    path: Path

    def rows(self) -> Rows:
        """What is in its table."""
        return self.example.read(self.path)

    def has_complained(self) -> bool:
        """Whether it has printed that it can't write."""
        return self.log.exists() and self.example.complains in self.log.read_text()


#: Starts the consumer: the brokers, its group, and further variables.
Start = Callable[..., RunningConsumer]


@pytest.fixture(params=CONSUMERS)
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Starts one of the consumers, always with the same table; each is stopped at the end."""
    example: Example = request.param
    path, started = tmp_path / "table", []

    def starting(bootstrap: str, group: str, **variables: str) -> RunningConsumer:
        variables |= {"PAYMENTS_KAFKA_BOOTSTRAP": bootstrap, "CONSUMER_GROUP": group}
        command = Command(group, (*example.argv, str(path)), environment=variables)
        consumer = RunningConsumer(command, tmp_path, example, path)
        consumer.start()
        started.append(consumer)
        return consumer

    yield starting
    for consumer in started:
        consumer.stop()

"""The stream worker with failpoints: ``python -m tests.faults.stream``."""

from functools import partial
from typing import Any

from cli.main import run
from messaging.transactional_publisher import ProducerFactory, StatePublisher, fenced_producer
from ports.records import Decode
from ports.stores import TransactionalPublisher
from postgres.stores import Pool, PostgresBatches
from processor.stream.app import StreamParts
from processor.stream.bootstrap import run_stream
from tests.faults.failpoints import Trap
from tests.faults.stream_ports import (
    TrappedBatches,
    TrappedDedupTable,
    TrappedProcessor,
    TrappedPublishing,
)


def parts(trap: Trap) -> StreamParts:
    """The real parts, with failpoints around them."""
    publishing = TrappedPublishing(trap)

    def store(pool: Pool, decode: Decode) -> TrappedBatches:
        return TrappedBatches(PostgresBatches(pool, decode), trap)

    def producers(bootstrap: str, group: str) -> ProducerFactory:
        return publishing.producers(fenced_producer(bootstrap, group))

    def publisher(make: ProducerFactory, deadline_s: float) -> TransactionalPublisher:
        return publishing.around(StatePublisher(make, deadline_s))

    def dedup(*arguments: Any) -> TrappedDedupTable:
        table = TrappedDedupTable(*arguments)
        table.trap = trap
        return table

    def processor(*arguments: Any) -> TrappedProcessor:
        trapped = TrappedProcessor(*arguments)
        trapped.trap = trap
        return trapped

    return StreamParts(
        store=store, producers=producers, publisher=publisher, dedup=dedup, processor=processor
    )


if __name__ == "__main__":
    program = partial(run_stream, parts(Trap.of_this_process("stream")))
    run(["stream"], {"stream": program})

"""``python -m bench.peers.faust_read``: a Faust app whose agent only acknowledges.

It has the processor's settings and group, and uses the iteration of Faust that lets the agent
acknowledge. The consumer is Faust's own, not the processor's.
"""

from typing import Any, cast

import faust
from faust.transport.drivers.aiokafka import Consumer
from faust.types import StreamT

from bench.peers.faust_worker import run
from bench.peers.progress import serve_progress
from processor.stream.app import create_app
from schemas.settings import KafkaSettings, StreamSettings, load
from schemas.topics import PROCESSOR_SOURCES


def main() -> None:
    """Reads until SIGTERM."""
    stream = load(StreamSettings)
    app = create_app(load(KafkaSettings), stream)
    app.transport.Consumer = Consumer  # type: ignore[misc]  # looked up on the instance
    progress, health = serve_progress()
    sources = app.topic(*PROCESSOR_SOURCES, key_type=bytes, value_type=bytes)

    @app.agent(sources, concurrency=1)
    async def read(events: StreamT[Any]) -> None:
        taken = cast("faust.Stream[Any]", events).noack_take(stream.batch_size, stream.batch_wait_s)
        async for batch in taken:
            size = 0
            for event in batch:
                size += len(event.message.value)
                event.ack()
            progress.add(len(batch), size)

    run(app, health)


if __name__ == "__main__":
    main()

"""Batches of records, taken from where Faust puts them.

``noack_take`` is Faust's only iteration that lets us acknowledge after our own commit. It passes
each record through a task and three queues, reads nothing while a batch is processed, and waits for
a batch to fill though more is there. Here a batch is what has come meanwhile: small while little
happens, so that nobody waits, and as large as allowed under load.

What Faust's iteration skips after a rebalance it also acknowledges, though nobody has processed it.
Here it is only left out: the owner of its partition reads it again.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from faust.types import EventT, StreamT

Event = EventT[Any]


async def batches(stream: StreamT[Any], size: int, wait_s: float) -> AsyncIterator[list[Event]]:
    """Batches of at most ``size`` events, until the stream is stopped.

    The caller acknowledges them. A lone event waits ``wait_s`` seconds for others.
    """
    await stream.maybe_start()
    channel: Any = stream.channel
    queue = channel.queue
    while not stream.should_stop:
        try:
            events = [await anext(channel)]
        except StopAsyncIteration:  # how Faust ends an iteration; a generator may not pass it on
            return
        if queue.empty() and wait_s:
            await asyncio.sleep(wait_s)
        while len(events) < size and not queue.empty():
            events.append(queue.get_nowait())
        if taken := [event for event in events if _is_taken(stream.app, event)]:
            yield taken


def _is_taken(app: Any, event: Event) -> bool:
    """Whether an event is ours to process; a rebalance then waits until it is acknowledged."""
    message: Any = event.message
    is_stale = message.generation_id != app.consumer_generation_id
    if is_stale or not app.flow_control.is_active():
        return False
    if not message.tracked:
        message.tracked = True
        app.consumer.unacked.add(message)
    return True

"""A Faust worker's consumer: its batches and its acknowledged offsets.

Like Faust, it commits from time to time the first contiguous run of acknowledged offsets. A
rebalance drops the uncommitted ones. A batch taken before a rebalance is still processed after it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from tests.simulation.kafka.group import Group
from tests.simulation.kafka.log import Log, Logged, Place
from tests.simulation.process import Process

#: Seconds to gather a batch; longer than in production, so that batches have several records.
GATHER_S: Final = (0.01, 0.4)
#: The maximum batch size is one of these.
BATCH_MAX: Final = (2, 6, 40)


class Event:
    """A Faust event as ``processor.stream.batch`` uses it."""

    def __init__(self, message: Logged, acknowledge: Callable[[Logged], None]) -> None:
        self.message = message
        self._acknowledge = acknowledge

    def ack(self) -> None:
        """Acknowledges the event."""
        self._acknowledge(self.message)


class Consumer:
    """Reads the partitions assigned to one worker."""

    def __init__(self, log: Log, group: Group, process: Process) -> None:
        self._log = log
        self._group = group
        self._process = process
        self._batch_max = process.chance.choice(BATCH_MAX)
        self._generation = -1
        self._read_to: dict[Place, int] = {}
        self._committed: dict[Place, int] = {}
        self._acknowledged: dict[Place, set[int]] = {}

    def on_revoked(self) -> None:
        """Drops the state of its partitions."""
        self._read_to, self._committed, self._acknowledged = {}, {}, {}

    def on_assigned(self, generation: int, partitions: Sequence[int]) -> None:
        """Starts reading at the committed offsets."""
        self._generation = generation
        places = [(topic, p) for topic in self._group.topics for p in partitions]
        self._committed = {place: self._group.committed.get(place, 0) for place in places}
        self._read_to = dict(self._committed)
        self._log.wake_readers()

    async def take(self) -> list[Event]:
        """Returns the next batch, waiting for the first record."""
        while not self._available():
            await self._log.news()
        await asyncio.sleep(self._process.chance.between(*GATHER_S))
        return self._batch()

    def _available(self) -> list[Place]:
        return [place for place, offset in self._read_to.items() if self._log.end(place) > offset]

    def _batch(self) -> list[Event]:
        """Records of all partitions, interleaved, each partition's in order."""
        chance = self._process.chance.random
        events: list[Event] = []
        places = self._available()
        chance.shuffle(places)
        for place in places:
            limit = chance.randint(1, self._batch_max - len(events))
            records = self._log.read(place, self._read_to[place], limit)
            self._read_to[place] += len(records)
            events += [Event(record, self._acknowledge) for record in records]
            if len(events) == self._batch_max:
                break
        return events

    def _acknowledge(self, record: Logged) -> None:
        self._process.step_at_once("event.ack")
        place = record.topic, record.partition
        if record.offset >= self._committed.get(place, 0):
            self._acknowledged.setdefault(place, set()).add(record.offset)

    def commit(self) -> None:
        """Commits the first contiguous run of acknowledged offsets."""
        offsets: dict[Place, int] = {}
        for place, acknowledged in self._acknowledged.items():
            if place in self._read_to and acknowledged:
                offset = min(acknowledged)
                while offset in acknowledged:
                    acknowledged.remove(offset)
                    offset += 1
                if offset > self._committed[place]:
                    offsets[place] = offset
        if offsets and self._group.commit(self._generation, offsets):
            self._committed.update(offsets)

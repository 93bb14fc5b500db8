"""A consumer group: in each generation, each partition belongs to one member.

A member that does not release its partitions in time is excluded. It goes on with them until it
notices.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from tests.simulation.faults import Chance
from tests.simulation.kafka.log import Log, Place
from tests.simulation.process import Process
from tests.simulation.trace import Trace

#: Seconds without a heartbeat after which the group excludes a member.
SESSION_S: Final = 6.0

Watch = Callable[[Mapping[Place, int], Mapping[Place, int]], None]


class Member(Protocol):
    """A member's callbacks. The group never runs both at the same time."""

    process: Process

    @property
    def is_gone(self) -> bool:
        """Whether its process has ended."""
        ...

    async def on_revoked(self) -> None:
        """Releases all partitions before a rebalance."""
        ...

    async def on_assigned(self, generation: int, partitions: Sequence[int]) -> None:
        """Takes over the partitions assigned in a generation."""
        ...


class Group:
    """The members of one consumer group, and the offsets they have committed.

    Args:
        name: for the trace.
        topics: the topics to read; a partition of all of them belongs to one member.
        log: the brokers.
        chance: draws the assignment.
        trace: the run's trace.
        watch: called with the committed offsets and the new ones before each commit.
    """

    def __init__(
        self,
        name: str,
        topics: Sequence[str],
        log: Log,
        chance: Chance,
        trace: Trace,
        watch: Watch = lambda _before, _after: None,
    ) -> None:
        self.topics: Final = topics
        self.committed: Final[dict[Place, int]] = {}
        self._name = name
        self._log = log
        self._chance = chance
        self._trace = trace
        self._watch = watch
        self._members: list[Member] = []
        self._generation = 0
        self._wanted = False
        self._running: asyncio.Task[None] | None = None

    def lag(self) -> int:
        """The number of records after the committed offsets."""
        places = [(t, p) for t in self.topics for p in range(self._log.partitions)]
        return sum(self._log.end(place) - self.committed.get(place, 0) for place in places)

    def join(self, member: Member) -> None:
        """Adds a member and rebalances."""
        if member not in self._members:
            self._members.append(member)
        self.rebalance()

    def rebalance(self) -> None:
        """Reassigns the partitions, after a running rebalance if there is one."""
        self._wanted = True
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._rebalance())

    def leave(self, member: Member) -> None:
        """Removes a member and rebalances."""
        if member in self._members:
            self._members.remove(member)
            self.rebalance()

    def _exclude(self, member: Member) -> None:
        """Excludes a member; if it is alive, it notices and joins again."""
        self.leave(member)
        wait = self._chance.between(0.5, 3.0)
        asyncio.get_running_loop().call_later(wait, self._rejoin, member)

    def _rejoin(self, member: Member) -> None:
        if member.is_gone or member in self._members:
            return
        if member.process.is_paused:
            asyncio.get_running_loop().call_later(1.0, self._rejoin, member)
        else:
            self.join(member)

    def silent(self, member: Member) -> None:
        """Handles a dead or paused member: it is excluded when its session ends."""
        loop = asyncio.get_running_loop()
        loop.call_later(SESSION_S, self._end_session, member)

    def commit(self, generation: int, offsets: Mapping[Place, int]) -> bool:
        """Commits offsets and returns True, unless they are of an older generation."""
        if generation != self._generation:
            return False
        self._watch(self.committed, offsets)
        self.committed.update(offsets)
        return True

    def _end_session(self, member: Member) -> None:
        if member.process.dead or member.process.is_paused:
            self._exclude(member)

    async def _rebalance(self) -> None:
        while self._wanted:
            self._wanted = False
            await self._all_revoked()
            members = list(self._members)
            self._generation += 1
            shares: list[list[int]] = [[] for _ in members]
            if members:
                self._chance.random.shuffle(shares)
                for partition in range(self._log.partitions):
                    shares[partition % len(members)].append(partition)
            assigned = {m.process.name: s for m, s in zip(members, shares, strict=True)}
            self._trace.note("rebalanced", self._name, f"generation {self._generation}: {assigned}")
            for member, share in zip(members, shares, strict=True):
                member.process.spawn(member.on_assigned(self._generation, share))

    async def _all_revoked(self) -> None:
        """Waits until all members have released their partitions or lost their session."""
        revoking = [
            (m, m.process.spawn(m.on_revoked())) for m in self._members if not m.process.dead
        ]
        late = [m for m in self._members if m.process.dead]
        if revoking:
            await asyncio.wait([task for _, task in revoking], timeout=SESSION_S)
            late += [m for m, task in revoking if not task.done() or task.cancelled()]
        elif late:
            await asyncio.sleep(SESSION_S)
        for member in late:
            self._exclude(member)

"""A consumer group: each partition belongs to one member at a time, generation after generation.

A member that does not give its partitions up in time is left out. It does not know that: it goes
on with what it has until it is told.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from tests.simulation.faults import Chance
from tests.simulation.kafka.log import Log, Place
from tests.simulation.process import Process
from tests.simulation.trace import Trace

#: Seconds without a sign of life after which a member is dead to the group.
SESSION_S: Final = 6.0

Watch = Callable[[Mapping[Place, int], Mapping[Place, int]], None]


class Member(Protocol):
    """What a group asks of its members. Both are awaited one after the other, never at once."""

    process: Process

    @property
    def is_gone(self) -> bool:
        """Whether it will never come back."""
        ...

    async def give_up(self) -> None:
        """The partitions are dealt anew: whatever was given before is not yours any more."""
        ...

    async def on_assigned(self, generation: int, partitions: Sequence[int]) -> None:
        """These are yours from now on."""
        ...


class Group:
    """The members of one consumer group, and the offsets they have committed.

    Args:
        name: for the trace.
        topics: what they read; one member has a partition of all of them.
        log: where they read.
        chance: how the partitions are dealt.
        trace: what happened.
        watch: called with the committed offsets and the ones about to be.
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
        """Records that are in the log and not committed as processed."""
        places = [(t, p) for t in self.topics for p in range(self._log.partitions)]
        return sum(self._log.end(place) - self.committed.get(place, 0) for place in places)

    def join(self, member: Member) -> None:
        """A member comes in, and the partitions are dealt anew."""
        if member not in self._members:
            self._members.append(member)
        self.rebalance()

    def rebalance(self) -> None:
        """Deals the partitions anew, after the present dealing if there is one."""
        self._wanted = True
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._rebalance())

    def leave(self, member: Member) -> None:
        """A member goes, and the partitions are dealt anew."""
        if member in self._members:
            self._members.remove(member)
            self.rebalance()

    def _leave_out(self, member: Member) -> None:
        """A member is dead to the group; if it is not dead, it learns of that and joins again."""
        self.leave(member)
        wait = self._chance.between(0.5, 3.0)
        asyncio.get_running_loop().call_later(wait, self._come_back, member)

    def _come_back(self, member: Member) -> None:
        if member.is_gone or member in self._members:
            return
        if member.process.stands_still:
            asyncio.get_running_loop().call_later(1.0, self._come_back, member)
        else:
            self.join(member)

    def silent(self, member: Member) -> None:
        """A member died or stands still: when its session is over it is left out."""
        loop = asyncio.get_running_loop()
        loop.call_later(SESSION_S, self._end_session, member)

    def commit(self, generation: int, offsets: Mapping[Place, int]) -> bool:
        """Commits offsets, unless they come from an older generation."""
        if generation != self._generation:
            return False
        self._watch(self.committed, offsets)
        self.committed.update(offsets)
        return True

    def _end_session(self, member: Member) -> None:
        if member.process.dead or member.process.stands_still:
            self._leave_out(member)

    async def _rebalance(self) -> None:
        while self._wanted:
            self._wanted = False
            await self._all_give_up()
            members = list(self._members)
            self._generation += 1
            shares: list[list[int]] = [[] for _ in members]
            if members:
                self._chance.random.shuffle(shares)
                for partition in range(self._log.partitions):
                    shares[partition % len(members)].append(partition)
            dealt = {m.process.name: s for m, s in zip(members, shares, strict=True)}
            self._trace.note("rebalanced", self._name, f"generation {self._generation}: {dealt}")
            for member, share in zip(members, shares, strict=True):
                member.process.spawn(member.on_assigned(self._generation, share))

    async def _all_give_up(self) -> None:
        """Waits until all have, or their session is over."""
        asked = [(m, m.process.spawn(m.give_up())) for m in self._members if not m.process.dead]
        late = [m for m in self._members if m.process.dead]
        if asked:
            await asyncio.wait([task for _, task in asked], timeout=SESSION_S)
            late += [m for m, task in asked if not task.done() or task.cancelled()]
        elif late:
            await asyncio.sleep(SESSION_S)
        for member in late:
            self._leave_out(member)

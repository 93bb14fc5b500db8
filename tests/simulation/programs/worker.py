"""A worker: the real dispatcher, router and reconciler, as ``payments worker`` runs them."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka.errors import CommitFailedError
from pydantic import SecretStr

from ports.errors import LoopFailedError
from processor.worker.loops import Loop, run_loops
from processor.worker.sweeps.reconciler import LEADER
from tests.simulation.kafka.group import Group
from tests.simulation.kafka.log import Log, Logged, LogSender, Place
from tests.simulation.outside.owners import Owner
from tests.simulation.outside.transport import Transport
from tests.simulation.postgres.connection import Connection
from tests.simulation.postgres.database import Database
from tests.simulation.process import Process
from tests.simulation.programs.machine import Surroundings

#: Seconds that the router waits for records; longer than in production, because waits are costly.
POLL_S = 2.0
ADDRESS = "https://stripe.simulation"
#: Seconds between two checks of the leadership.
LEAD_S = 7.0


class RouterConsumer:
    """As much of aiokafka's consumer as ``worker.router`` uses; a ``Member`` of its group."""

    def __init__(self, log: Log, group: Group, process: Process) -> None:
        self.process = process
        self._is_stopped = False
        self._log = log
        self._group = group
        self._generation = -1
        self._read_to: dict[Place, int] = {}
        self._callbacks = asyncio.Lock()

    async def start(self) -> None:
        """Joins the group."""
        self._group.join(self)

    async def stop(self) -> None:
        """Leaves the group for good."""
        self._is_stopped = True
        self._group.leave(self)

    @property
    def is_gone(self) -> bool:
        """See ``Member.is_gone``."""
        return self._is_stopped or self.process.dead

    async def on_revoked(self) -> None:
        """See ``Member.on_revoked``."""
        async with self._callbacks:
            await self.process.step("router.revoked")
            self._read_to = {}

    async def on_assigned(self, generation: int, partitions: Sequence[int]) -> None:
        """See ``Member.on_assigned``."""
        async with self._callbacks:
            await self.process.step("router.assigned")
            self._generation = generation
            places = [(topic, p) for topic in self._group.topics for p in partitions]
            self._read_to = {place: self._group.committed.get(place, 0) for place in places}

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[Place, list[Logged]]:
        """Returns the available records, or none after the wait."""
        del timeout_ms
        await self.process.step("router.poll")
        for _ in range(2):
            found = {p: list(self._log.read(p, o, max_records)) for p, o in self._read_to.items()}
            for place, records in found.items():
                self._read_to[place] += len(records)
            if any(found.values()):
                return found
            await asyncio.sleep(POLL_S / 2)
        return {}

    async def commit(self) -> None:
        """Commits the read offsets. Raises CommitFailedError after losing a partition."""
        await self.process.step("router.commit")
        if not self._group.commit(self._generation, self._read_to):
            raise CommitFailedError


class WorkerProcess:
    """One worker process; a ``Program``."""

    def __init__(self, around: Surroundings, process: Process) -> None:
        self.process = process
        self._around = around
        self._settings = around.settings.work
        parts, metrics, clock = around.parts, around.counters.work, process.clock
        connection = Connection(around.database, process)
        sender = LogSender(around.log, process, "worker")
        clients = {owner.name: _client(around, owner, process) for owner in around.accounts.owners}
        self._consumers: list[RouterConsumer] = []
        self._calls = parts.provider_calls(
            parts.call_store(connection), sender, clients, self._settings, metrics, clock,
            around.chance.random,
        )  # fmt: skip
        translators = {o.name: parts.translator(o.account, o.name) for o in around.accounts.owners}
        self._router = parts.router(
            parts.routing_store(connection), sender, self._consumer,
            translators, self._settings, metrics, clock,
        )  # fmt: skip
        self._leadership = _Leadership(around.database, process)
        self._reconciler = parts.reconciler(
            parts.sweep_store(connection), sender, clients, translators, self._settings, metrics,
            clock, self._leadership,
        )  # fmt: skip

    def start(self) -> None:
        """Starts its work."""
        self.process.spawn(self._run())

    def on_paused(self) -> None:
        """Its router's session may expire."""
        for consumer in self._consumers[-1:]:
            self._around.router_group.silent(consumer)

    def _consumer(self) -> Any:
        here = self._around
        consumer = RouterConsumer(here.log, here.router_group, self.process)
        self._consumers.append(consumer)
        return consumer

    async def _run(self) -> None:
        """Like ``cli.main``: an error that no loop handles ends the process."""
        loops = {
            "provider_calls": Loop(self._calls.run),
            "router": Loop(self._router.run),
            LEADER: Loop(self._leadership.run),
            **self._reconciler.loops(),
        }
        try:
            await run_loops(loops, asyncio.Event(), self._around.counters.work)
        except LoopFailedError as error:
            self._around.unforeseen(f"{self.process.name} was stopped by {error.__cause__!r}")
            self.process.kill(f"stopped by {error.__cause__!r}"[:120])


def _client(around: Surroundings, owner: Owner, process: Process) -> Any:
    """The client of an account, as ``providers.file_accounts`` makes it."""
    key = SecretStr(owner.api_key)
    settings = around.settings.stripe.model_copy(update={"stripe_api_key": key})
    http = Transport(around.accounts, owner, process)
    return around.parts.provider_client(
        settings, ADDRESS, http,
        is_live=owner.account.is_live, name=owner.name, connected=owner.connected,
    )  # fmt: skip


class _Leadership:
    """A ``Leadership``: like ``PostgresLeadership``, whose lock lives as long as its process."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self._process = process

    @property
    def is_held(self) -> bool:
        """See ``Leadership.is_held``."""
        return self._database.leader is self._process

    async def run(self) -> None:
        """See ``Leadership.run``."""
        while True:
            await self._process.step("reconciler.lead")
            leader = self._database.leader
            if leader is None or leader.dead:
                self._database.leader = self._process
            await asyncio.sleep(LEAD_S)

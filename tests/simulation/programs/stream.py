"""A stream worker: the real batch processor, wired as in ``stream.app``, on a fake Faust."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, Final, cast

from faust.types import EventT

from ports.errors import BatchConflictError, FencedError, PublishError, StoreUnavailableError
from processor.stream import pipeline
from tests.simulation.kafka.consumer import Consumer
from tests.simulation.kafka.log import LogSender
from tests.simulation.kafka.publishing import TransactionalProducer
from tests.simulation.kafka.table import Disk, Table
from tests.simulation.postgres.connection import Connection
from tests.simulation.process import Process
from tests.simulation.programs.machine import Surroundings

#: Seconds between two commits of offsets: short, or so long that a crash repeats much work.
QUICK_S: Final = (0.7, 2.0)
COMMIT_EVERY_S: Final = (QUICK_S, (3.0, 9.0))

#: Errors that may stop a worker, which then restarts.
FORESEEN: Final = (FencedError, PublishError, StoreUnavailableError, BatchConflictError)


class StreamWorker:
    """One stream worker process; a ``Program`` and a ``Member`` of the stream's group."""

    def __init__(self, around: Surroundings, process: Process, disk: Disk) -> None:
        self.process = process
        self._around = around
        self._group = around.stream_group
        parts, settings = around.parts, around.settings.stream
        translators = [parts.translator(o.account, o.name) for o in around.accounts.owners]
        decoder = parts.decoder({each.name: each for each in translators})
        self._table = Table(disk, around.changelog, process)
        retention = timedelta(seconds=settings.dedup_retention_s)
        dedup = parts.dedup_table(self._table, settings.dedup_per_payment, retention, process.clock)
        publisher = parts.state_publisher(
            lambda partition: TransactionalProducer(around.state, partition, process),
            settings.publish_deadline_s,
        )
        store = parts.batch_store(
            Connection(around.database, process), decoder.decode, around.watch
        )
        self._processor = parts.batch_processor(
            decoder, store, dedup, publisher, LogSender(around.log, process, "dead_letters"),
            around.counters.stream, process.clock,
        )  # fmt: skip
        self._consumer = Consumer(around.log, self._group, process)
        self._assigned = asyncio.Event()
        #: Faust awaits one rebalance callback before it calls the next.
        self._callbacks = asyncio.Lock()

    def start(self) -> None:
        """Starts its work."""
        self.process.spawn(self._run())
        self.process.spawn(self._keep_committing())
        self._group.join(self)

    def on_paused(self) -> None:
        """Its session may expire."""
        self._group.silent(self)

    @property
    def is_gone(self) -> bool:
        """See ``Member.is_gone``."""
        return self.process.dead

    async def on_revoked(self) -> None:
        """See ``Member.on_revoked``."""
        async with self._callbacks:
            await self.process.step("partitions.revoked")
            self._consumer.on_revoked()
            self._assigned.clear()

    async def on_assigned(self, generation: int, partitions: Sequence[int]) -> None:
        """See ``Member.on_assigned``. As in ``stream.app``, any error ends the worker."""
        async with self._callbacks:
            try:
                await self.process.step("partitions.assigned")
                self._table.recover(partitions)
                self._consumer.on_assigned(generation, partitions)
                await self._processor.on_assigned(partitions)
                self._assigned.set()
            except Exception as error:  # noqa: BLE001  # Faust crashes on any error
                self._stop(error)

    async def _run(self) -> None:
        """As ``processor.stream.app._run``."""
        try:
            # every batch counts as full, so several are always in progress
            await pipeline.run(
                self._batches(), self._processor, 1, self._assigned.wait, lambda: None
            )
        except Exception as error:  # noqa: BLE001  # any error restarts the worker
            self._stop(error)

    async def _batches(self) -> AsyncIterator[Sequence[EventT[Any]]]:
        while True:
            if batch := await self._consumer.take():
                yield cast("Sequence[EventT[Any]]", batch)

    def _stop(self, error: Exception) -> None:
        if not isinstance(error, FORESEEN):
            self._around.unforeseen(f"{self.process.name} was stopped by {error!r}")
        self.process.kill(f"stopped by {error!r}"[:120])

    async def _keep_committing(self) -> None:
        """Flushes the table and commits offsets, in either order, because they are independent."""
        chance = self.process.chance
        every_s = chance.choice(COMMIT_EVERY_S)
        while True:
            await asyncio.sleep(chance.between(*(QUICK_S if chance.is_healed else every_s)))
            steps = [self._flush, self._commit]
            chance.random.shuffle(steps)
            for step in steps:
                await step()

    async def _flush(self) -> None:
        await self.process.step("table.flush")
        self._table.flush()

    async def _commit(self) -> None:
        await self.process.step("offsets.commit")
        self._consumer.commit()

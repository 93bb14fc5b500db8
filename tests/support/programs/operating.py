"""A real log, a worker and an operator's commands."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaProducer

from messaging import log_reader
from messaging.sender import Sender
from ports.records import ConsumedRecord, RecordOffset
from postgres.ops.operator import DeadLetterPosition, Quarantine, quarantines
from processor.ops import dead_letters, replay
from processor.ops.dead_letters import DeadLetterRecord, ReplaySummary
from processor.ops.invariants import check
from processor.ops.rebuild.results import RebuildResult
from processor.ops.rebuild.run import Scope, rebuild
from schemas.topics import PROCESSOR_SOURCES
from tests.conftest import PARTITIONS
from tests.support.builders import DECODER, Clock
from tests.support.programs.gathering import gather
from tests.support.programs.stream_worker import DEADLINE_S, Group, Worker

ALL: Sequence[int] = range(PARTITIONS)


@dataclass
class Operating:
    """The test's own records on the shared broker, and the operator's commands."""

    group: Group
    database_url: str
    clock: Clock
    sender: Sender
    _keys: set[bytes | None] = field(default_factory=set)
    _given: set[RecordOffset] = field(default_factory=set)

    async def publish(self, *records: ConsumedRecord) -> list[ConsumedRecord]:
        """Publishes records in this order. Returns them with their positions."""
        producer = AIOKafkaProducer(bootstrap_servers=self.group.bootstrap, acks="all")
        await producer.start()
        placed = []
        try:
            for r in records:
                headers = [(name, text.encode()) for name, text in r.headers.items()]
                at = await producer.send_and_wait(
                    r.position.topic, key=r.key, value=r.value, headers=headers
                )
                position = RecordOffset(at.topic, at.partition, at.offset)
                placed.append(
                    ConsumedRecord(
                        position=position,
                        key=r.key,
                        value=r.value,
                        headers=r.headers,
                        timestamp_ms=at.timestamp,
                    )
                )
        finally:
            await producer.stop()
        self._keys |= {record.key for record in placed}
        self._given |= {record.position for record in placed}
        return placed

    async def new_records(self) -> list[ConsumedRecord]:
        """Records of this test's payments that others have published since the last call."""
        found = []
        for topic in PROCESSOR_SOURCES:
            async for each in log_reader.records(self.group.bootstrap, topic):
                record = log_reader.as_record(each)
                if record.key in self._keys and record.position not in self._given:
                    found.append(record)
        self._given |= {record.position for record in found}
        return found

    async def process(self, worker: Worker, *records: ConsumedRecord) -> list[ConsumedRecord]:
        """Publishes records and has the worker process them, in one batch."""
        placed = await self.publish(*records)
        await worker.process(*placed)
        return placed

    async def quarantined(self) -> list[Quarantine]:
        """All quarantines."""
        async with self.group.pool.connection() as connection:
            return await quarantines(connection)

    async def request_release(self, *payment_ids: str) -> replay.ReplayResult:
        """Requests the release of these payments, or of all. Does not wait for a worker."""
        wanted = payment_ids or None
        return await replay.replay(self.database_url, self.sender, wanted, self.clock, 0.0)

    async def release_and_process(self, worker: Worker, *payment_ids: str) -> list[ConsumedRecord]:
        """Releases these payments, or all, and has the worker process the releases."""
        await self.request_release(*payment_ids)
        releases = await self.new_records()
        await worker.process(*releases)
        return releases

    async def dead_letters(self, key: bytes) -> list[DeadLetterRecord]:
        """The dead letters with this key."""
        return [
            x async for x in dead_letters.read_dead_letters(self.group.bootstrap) if x.key == key
        ]

    async def replay_dead_letters(
        self, *places: DeadLetterPosition, again: bool = False
    ) -> ReplaySummary:
        """Sends these dead letters again."""
        return await dead_letters.replay(
            self.group.bootstrap, self.database_url, self.sender, places, self.clock, again=again
        )

    async def rebuilt(
        self, *payment_ids: str, since: datetime | None = None, **options: Any
    ) -> RebuildResult:
        """Rebuilds all payments or some, and compares them."""
        return await rebuild(
            self.group.bootstrap,
            self.database_url,
            DECODER.decode,
            self.clock,
            Scope(payment_ids=payment_ids, since=since),
            **options,
        )

    async def violations(self, settle_s: float) -> dict[str, list[str]]:
        """The audit's findings, which may include other tests' records."""
        evidence = await gather(self.group.bootstrap, self.database_url, settle_s)
        return check(evidence)


def operator(group: Group, database_url: str, clock: Clock) -> Operating:
    """An operator. The caller closes its sender."""
    sender = Sender(group.bootstrap, f"{group.name}-operator", DEADLINE_S)
    return Operating(group, database_url, clock, sender)

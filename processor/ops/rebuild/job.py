"""A share of a rebuild: of the log's partitions to copy, or of the parts to decide again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ports.records import Decode
from postgres.deadlines import OperatingConnection
from postgres.ops.rebuild import parts, shadow
from postgres.ops.rebuild.work import Work
from processor.ops.rebuild.copying import copy_log
from processor.ops.rebuild.deciding import decide_part

Step = Literal["copy", "decide"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What every share of a rebuild needs to know."""

    kafka_bootstrap: str
    database_url: str
    #: The schema of the stored rows.
    stored: str
    work: Work
    decode: Decode
    clock: Callable[[], datetime]
    #: Whether the rows that are decided again are kept.
    keep: bool = False

    def shares(self, step: Step, count: int) -> list["JobShare"]:
        """Divides a step into this many shares."""
        return [JobShare(self, step, number, count) for number in range(count)]

    async def copy(self, share: int, shares: int) -> None:
        """Copies one of this many shares of the log's partitions. Raises KafkaError."""
        async with await OperatingConnection.connect(
            self.database_url, autocommit=True
        ) as connection:
            _, count, _ = await self.work.counts(connection)
            route = await parts.route_to_ranges(connection, count)
            await copy_log(connection, self.work, self.kafka_bootstrap, route, share, shares)

    async def decide(self, share: int, shares: int) -> None:
        """Decides one of this many shares of the parts again. Raises psycopg.Error."""
        async with await shadow.connect(
            self.database_url, self.stored, keep=self.keep
        ) as connection:
            for part in await self.work.unfinished(connection, share, shares):
                await decide_part(connection, self.work, self.stored, part, self.decode, self.clock)


@dataclass(frozen=True, slots=True)
class JobShare:
    """One of ``count`` shares of a step. What it finds is in the tables of the work."""

    job: Job
    step: Step
    number: int
    count: int

    async def do(self, _: object) -> None:
        """Does it. Raises KafkaError, psycopg.Error."""
        do = self.job.copy if self.step == "copy" else self.job.decide
        await do(self.number, self.count)

"""A share of a rebuild: of the log's partitions to copy, or of the parts to decide again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from postgres.batch.transaction import Decode
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

    async def do(self, step: Step, share: int, shares: int) -> None:
        """Does one of this many shares of a step. Raises KafkaError, psycopg.Error."""
        await (self._copy if step == "copy" else self._decide)(share, shares)

    async def _copy(self, share: int, shares: int) -> None:
        async with await OperatingConnection.connect(
            self.database_url, autocommit=True
        ) as connection:
            _, count, _ = await self.work.counts(connection)
            route = await parts.route_to_ranges(connection, count)
            await copy_log(connection, self.work, self.kafka_bootstrap, route, share, shares)

    async def _decide(self, share: int, shares: int) -> None:
        async with await shadow.connect(
            self.database_url, self.stored, keep=self.keep
        ) as connection:
            for part in await self.work.unfinished(connection, share, shares):
                await decide_part(connection, self.work, self.stored, part, self.decode, self.clock)

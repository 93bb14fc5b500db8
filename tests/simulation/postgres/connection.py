"""A process's connection to Postgres, with its faults."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ports.errors import StoreUnavailableError
from tests.simulation.postgres.database import Database
from tests.simulation.process import Process


class Connection:
    """A process's connection, which may be slow, broken, or unavailable for a while."""

    def __init__(self, database: Database, process: Process) -> None:
        self.database = database
        self.process = process
        self._time = asyncio.get_running_loop().time

    def fail(self) -> None:
        """Raises StoreUnavailableError if the database is unavailable now."""
        out = self._time() < self.database.out_until
        if out or self.process.chance.happens("store_unavailable"):
            raise StoreUnavailableError("no connection")

    @asynccontextmanager
    async def statement(self, name: str) -> AsyncIterator[Database]:
        """One statement in its own transaction."""
        await self.process.step(f"{name}.before")
        self.fail()
        yield self.database
        await self.process.step(f"{name}.after")
        self.lose_response()

    def lose_response(self) -> None:
        """Raises StoreUnavailableError if the statement succeeded but its response is lost."""
        if self.process.chance.happens("store_answer_lost"):
            raise StoreUnavailableError("the connection broke")

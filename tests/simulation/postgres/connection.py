"""A process' way to Postgres: it may be slow, be cut, or lead nowhere for a while."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ports.errors import StoreUnavailableError
from tests.simulation.postgres.database import Database
from tests.simulation.process import Process


class Connection:
    """A process' way to the database: it may be slow, cut, or away altogether."""

    def __init__(self, database: Database, process: Process) -> None:
        self.database = database
        self.process = process
        self._time = asyncio.get_running_loop().time

    def fail(self) -> None:
        """Raises StoreUnavailableError where the database can't be asked now."""
        out = self._time() < self.database.out_until
        if out or self.process.chance.happens("store_unavailable"):
            raise StoreUnavailableError("no connection")

    @asynccontextmanager
    async def statement(self, name: str) -> AsyncIterator[Database]:
        """One statement in a transaction of its own."""
        await self.process.step(f"{name}.before")
        self.fail()
        yield self.database
        await self.process.step(f"{name}.after")
        self.lose_answer()

    def lose_answer(self) -> None:
        """Raises StoreUnavailableError where it was done and nobody is told."""
        if self.process.chance.happens("store_answer_lost"):
            raise StoreUnavailableError("the connection broke")

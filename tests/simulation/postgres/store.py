"""The ``BatchStore`` in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from msgspec import structs

from ports.batch import Publishable, PublishableVersion
from tests.simulation.postgres.changes import Changes
from tests.simulation.postgres.connection import Connection
from tests.simulation.postgres.locks import Session
from tests.simulation.postgres.transaction import Decode, MemoryTransaction

#: Called with the changes before each commit.
Watch = Callable[[Changes], None]


class MemoryBatches:
    """A ``BatchStore``. ``decode`` decodes parked records."""

    make_transaction: type[MemoryTransaction] = MemoryTransaction

    def __init__(self, connection: Connection, decode: Decode, watch: Watch) -> None:
        self._connection = connection
        self._database = connection.database
        self._decode = decode
        self._watch = watch

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryTransaction]:
        """See ``BatchStore.transaction``."""
        process = self._connection.process
        await process.step("batch.begin")
        self._connection.fail()
        session = Session()
        transaction = self.make_transaction(self._connection, session, self._decode)
        try:
            yield transaction
            await process.step("batch.commit")
            self._connection.fail()
            self._watch(transaction.changes)
            transaction.changes.commit(self._database)
        finally:
            self._release(session)
        await process.step("batch.committed")
        self._connection.lose_response()

    def _release(self, session: Session) -> None:
        """Releases locks at once, or later if the process died and Postgres has not noticed."""
        process = self._connection.process
        if process.dead and process.chance.happens("lingering_locks"):
            wait = process.chance.between(0.1, 5.0)
            loop = asyncio.get_running_loop()
            loop.call_later(wait, self._database.locks.release, session)
        else:
            self._database.locks.release(session)

    async def unpublished(
        self, *, publication_ids: Iterable[int] = (), partitions: Iterable[int] = ()
    ) -> list[Publishable]:
        """See ``BatchStore.unpublished``: also each payment's last version."""
        async with self._connection.statement("unpublished") as database:
            ids = database.unpublished.keys() & set(publication_ids)
            wanted = {*partitions, *(database.unpublished[i].partition for i in ids)}
            found: dict[str, dict[int, PublishableVersion]] = {}
            for publication in database.unpublished.values():
                if publication.partition in wanted:
                    for each in publication.versions:
                        found.setdefault(each.payment_id, {})[each.version] = each
            for payment_id, versions in found.items():
                last = database.versions[payment_id][-1].published
                versions.setdefault(last.version, last)
            again = [
                structs.replace(versions[n], quarantined=payment_id in database.quarantines)
                for payment_id, versions in found.items()
                for n in sorted(versions)
            ]
            publications = database.unpublished.values()
            left = [o for p in publications if p.partition in wanted for o in p.operations]
            return [*again, *left]

    async def quarantine_unpublishable(
        self, versions: Sequence[PublishableVersion], now: datetime
    ) -> None:
        """See ``BatchStore.quarantine_unpublishable``; here no version is too large."""
        raise AssertionError(f"too large: {versions} at {now}")

    async def mark_published(self, publication_ids: Iterable[int], now: datetime) -> None:
        """See ``BatchStore.mark_published``."""
        del now  # only for an operator
        async with self._connection.statement("mark_published") as database:
            for publication_id in publication_ids:
                database.unpublished.pop(publication_id, None)

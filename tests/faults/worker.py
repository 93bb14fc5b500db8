"""The background loops with failpoints: ``python -m tests.faults.worker``."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from cli.main import run
from domain.calls import ProviderCall
from messaging.sender import Sender
from ports.producer_record import ProducerRecord
from ports.provider import CallOutcome, FetchedEvent, PartPage, ProviderClient, Refused
from ports.rate_budget import RateBudget, RequestClass
from ports.stores import Outbox
from ports.work_items import ClaimedCall, LookUpShare
from postgres.stores import Pool, PostgresOutbox
from processor.worker.bootstrap import WorkerParts, run_worker
from providers.registry import clients
from schemas.topics import PROVIDER_RESULTS
from tests.faults.failpoints import Failpoint, Trap


class TrappedClient:
    """A ``ProviderClient`` with failpoints."""

    def __init__(self, inner: ProviderClient, trap: Trap) -> None:
        self.name = inner.name
        self.part_kinds = inner.part_kinds
        self._inner = inner
        self._trap = trap

    def prepare(self, call: ProviderCall) -> bytes | Refused:
        """See ``ProviderClient.prepare``."""
        return self._inner.prepare(call)

    async def call(self, call: ProviderCall, key: str, request: bytes | None = None) -> CallOutcome:
        """See ``ProviderClient.call``."""
        self._trap.reach(Failpoint.BEFORE_CALL)
        outcome = await self._inner.call(call, key, request)
        self._trap.reach(Failpoint.AFTER_CALL)
        return outcome

    async def look_up(
        self,
        call: ProviderCall,
        first_tried_at: datetime,
        last_tried_at: datetime | None = None,
    ) -> CallOutcome | None:
        """See ``ProviderClient.look_up``."""
        return await self._inner.look_up(call, first_tried_at, last_tried_at)

    async def retrieve(self, object_id: str) -> FetchedEvent:
        """See ``ProviderClient.retrieve``."""
        return await self._inner.retrieve(object_id)

    def parts_of(self, object_id: str) -> AsyncIterator[Sequence[FetchedEvent]]:
        """See ``ProviderClient.parts_of``."""
        return self._inner.parts_of(object_id)

    def parts_since(
        self, kind: str, at: datetime, after: str | None = None
    ) -> AsyncIterator[PartPage]:
        """See ``ProviderClient.parts_since``."""
        return self._inner.parts_since(kind, at, after)

    def events_after(
        self, cursor: str | None, since: datetime | None = None
    ) -> AsyncIterator[Sequence[FetchedEvent]]:
        """See ``ProviderClient.events_after``."""
        return self._inner.events_after(cursor, since)

    async def close(self) -> None:
        """See ``ProviderClient.close``."""
        await self._inner.close()


class TrappedOutbox:
    """An ``Outbox`` with failpoints."""

    def __init__(self, inner: Outbox, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    async def claim(
        self,
        provider: str,
        limit: int,
        now: datetime,
        lease_until: datetime,
        look_ups: LookUpShare | None = None,
    ) -> list[ClaimedCall]:
        """See ``Outbox.claim``."""
        claimed = await self._inner.claim(provider, limit, now, lease_until, look_ups)
        if claimed:
            self._trap.reach(Failpoint.AFTER_CLAIM)
        return claimed

    async def renew(self, claimed: ClaimedCall, lease_until: datetime) -> bool:
        """See ``Outbox.renew``."""
        return await self._inner.renew(claimed, lease_until)

    async def freeze(self, claimed: ClaimedCall, sent: bytes) -> bool:
        """See ``Outbox.freeze``."""
        return await self._inner.freeze(claimed, sent)

    async def finish(self, claimed: ClaimedCall, outcome: str, now: datetime) -> bool:
        """See ``Outbox.finish``."""
        self._trap.reach(Failpoint.BEFORE_DONE)
        return await self._inner.finish(claimed, outcome, now)

    async def retry(self, claimed: ClaimedCall, at: datetime, error: str) -> bool:
        """See ``Outbox.retry``."""
        return await self._inner.retry(claimed, at, error)

    async def retry_with_new_key(self, claimed: ClaimedCall, at: datetime, error: str) -> bool:
        """See ``Outbox.retry_with_new_key``."""
        return await self._inner.retry_with_new_key(claimed, at, error)


class TrappedSender(Sender):
    """The sender of results, with a failpoint."""

    trap: Trap

    async def send(self, records: Sequence[ProducerRecord]) -> None:
        """See ``Sender.send``."""
        if any(record.topic == PROVIDER_RESULTS for record in records):
            self.trap.reach(Failpoint.BEFORE_RESULT)
        await super().send(records)


def parts(trap: Trap) -> WorkerParts:
    """The real parts, with failpoints around them."""

    def outbox(pool: Pool) -> TrappedOutbox:
        return TrappedOutbox(PostgresOutbox(pool), trap)

    def sender(bootstrap: str, client_id: str, deadline_s: float) -> TrappedSender:
        trapped = TrappedSender(bootstrap, client_id, deadline_s)
        trapped.trap = trap
        return trapped

    def trapped_clients(
        budgets: Mapping[str, RateBudget], reads: RequestClass
    ) -> dict[str, ProviderClient]:
        real = clients(budgets, reads)
        return {name: TrappedClient(client, trap) for name, client in real.items()}

    return WorkerParts(outbox=outbox, sender=sender, clients=trapped_clients)


if __name__ == "__main__":
    program = partial(run_worker, parts(Trap.of_this_process("worker")))
    run(["worker"], {"worker": program})

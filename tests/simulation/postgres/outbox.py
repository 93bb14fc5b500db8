"""The outbox and the stores of router and reconciler, in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from domain.payment import Payment
from domain.status import Status
from domain.transitions import is_final
from ports.provider import ListCursor
from ports.work_items import (
    ClaimedCall,
    DuePayment,
    IgnoredWebhook,
    KeptNotice,
    Look,
    LookUpShare,
    PlannedLook,
    UnroutedWebhook,
)
from postgres.documents import decode_call, decode_payment
from processor.worker.sweeps.part_list import READ
from tests.simulation.clock import SkewedClock
from tests.simulation.postgres.connection import Connection
from tests.simulation.postgres.database import CallRow, Database

#: From this age on a key may have expired at the provider.
KEY_LIFE: Final = timedelta(hours=20)
#: Before any key was used.
EVER: Final = datetime.min.replace(tzinfo=UTC)


class MemoryOutbox:
    """An ``Outbox``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def claim(
        self,
        provider: str,
        limit: int,
        now: datetime,
        lease_until: datetime,
        look_ups: LookUpShare | None = None,
    ) -> list[ClaimedCall]:
        """See ``Outbox.claim``."""
        share = look_ups or LookUpShare(0, EVER)
        async with self._connection.statement("claim") as database:
            due = [
                row
                for row in database.calls.values()
                if row.outcome is None
                and (row.next_attempt_at <= now or not row.attempts)
                and row.provider == provider
            ]
            due.sort(key=lambda row: row.next_attempt_at)
            old = [row for row in due if (row.key_first_used_at or now) <= share.forgotten_since]
            wanted = [row for row in due if row not in old[share.most :]]
            return [self._claimed(row, now, lease_until) for row in wanted[:limit]]

    def _claimed(self, row: CallRow, now: datetime, lease_until: datetime) -> ClaimedCall:
        row.attempts += 1
        row.next_attempt_at = lease_until
        row.key_first_used_at = row.key_first_used_at or now
        if now - row.key_first_used_at > KEY_LIFE:
            self._connection.process.chance.met["old_key"] += 1
        return ClaimedCall(
            call=decode_call(row.request),
            attempts=row.attempts,
            generation=row.generation,
            key_first_used_at=row.key_first_used_at,
            created_at=row.created_at,
            sent=row.sent,
        )

    async def renew(self, claimed: ClaimedCall, lease_until: datetime) -> bool:
        """See ``Outbox.renew``."""
        async with self._connection.statement("renew") as database:
            row = database.calls[claimed.call.key]
            if is_newest := _is_newest_claim(row, claimed):
                row.next_attempt_at = lease_until
            return is_newest

    async def freeze(self, claimed: ClaimedCall, sent: bytes) -> bool:
        """See ``Outbox.freeze``."""
        async with self._connection.statement("freeze") as database:
            row = database.calls[claimed.call.key]
            if is_newest := _is_newest_claim(row, claimed):
                row.sent = sent
            return is_newest

    async def finish(self, claimed: ClaimedCall, outcome: str, now: datetime) -> bool:
        """See ``Outbox.finish``."""
        del now  # only for an operator
        async with self._connection.statement("finish") as database:
            row = database.calls[claimed.call.key]
            if is_newest := _is_newest_claim(row, claimed):
                row.outcome = outcome
            return is_newest

    async def retry(self, claimed: ClaimedCall, at: datetime, error: str) -> bool:
        """See ``Outbox.retry``."""
        async with self._connection.statement("retry") as database:
            row = database.calls[claimed.call.key]
            if is_newest := _is_newest_claim(row, claimed):
                row.next_attempt_at, row.error = at, error
            return is_newest

    async def retry_with_new_key(self, claimed: ClaimedCall, at: datetime, error: str) -> bool:
        """See ``Outbox.retry_with_new_key``."""
        async with self._connection.statement("retry_with_new_key") as database:
            row = database.calls[claimed.call.key]
            if is_newest := _is_newest_claim(row, claimed) and row.generation == claimed.generation:
                row.next_attempt_at, row.error = at, error
                row.generation += 1
                row.key_first_used_at = None
                row.sent = None
            return is_newest


def _is_newest_claim(row: CallRow, claimed: ClaimedCall) -> bool:
    """Whether this claim is the newest one."""
    return row.outcome is None and row.attempts == claimed.attempts


class MemoryRouting:
    """A ``RoutingStore``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def owners(self, objects: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """See ``RoutingStore.owners``."""
        async with self._connection.statement("owners") as database:
            return {o: database.owners[o] for o in objects if o in database.owners}

    async def park(self, waiting: Sequence[UnroutedWebhook], now: datetime) -> None:
        """See ``RoutingStore.park``."""
        async with self._connection.statement("park") as database:
            for item in waiting:
                database.unrouted.setdefault(item.event_id, (now, item))

    async def keep_notices(self, kept: Sequence[KeptNotice], now: datetime) -> None:
        """See ``RoutingStore.keep_notices``; here no provider has any."""
        assert not kept, f"notices at {now}"

    async def ignore(self, ignored: Sequence[IgnoredWebhook], now: datetime) -> None:
        """See ``RoutingStore.ignore``."""
        del now  # only for an operator
        async with self._connection.statement("ignore") as database:
            for item in ignored:
                database.ignored.setdefault(item.webhook.event_id, item.reason)

    async def ignore_waiting(self, ignored: Sequence[IgnoredWebhook], now: datetime) -> None:
        """See ``RoutingStore.ignore_waiting``."""
        del now  # only for an operator
        async with self._connection.statement("ignore") as database:
            for item in ignored:
                if _delete_unrouted(database, item.webhook):
                    database.ignored.setdefault(item.webhook.event_id, item.reason)

    async def mark_missed(self, stored_since: datetime) -> None:
        """See ``RoutingStore.mark_missed``: here ``routable`` finds them."""

    async def routable(self, limit: int) -> list[UnroutedWebhook]:
        """See ``RoutingStore.routable``."""
        async with self._connection.statement("routable") as database:
            known = [
                UnroutedWebhook(
                    event_id=u.event_id,
                    provider=u.provider,
                    object_id=u.object_id,
                    headers=u.headers,
                    value=u.value,
                    payment_id=owner,
                )
                for _, u in sorted(database.unrouted.values(), key=lambda kept: kept[0])
                if (owner := _payment_of(database, u)) is not None
            ]
            return known[:limit]

    async def expired(
        self, before: datetime, limit: int, accounts: Sequence[str]
    ) -> list[UnroutedWebhook]:
        """See ``RoutingStore.expired``."""
        async with self._connection.statement("unrouted_expired") as database:
            kept = sorted(database.unrouted.values(), key=lambda kept: kept[0])
            old = [item for at, item in kept if at < before and item.provider in accounts]
            return old[:limit]

    async def delete_unrouted(self, ended: Sequence[UnroutedWebhook]) -> None:
        """See ``RoutingStore.delete_unrouted``."""
        async with self._connection.statement("delete_unrouted") as database:
            for webhook in ended:
                _delete_unrouted(database, webhook)


def _delete_unrouted(database: Database, read: UnroutedWebhook) -> bool:
    """Deletes a webhook, unless it waits for another payment than when it was read."""
    _, waits = database.unrouted.get(read.event_id, (None, None))
    if waits is None or _payment_of(database, waits) != read.payment_id:
        return False
    del database.unrouted[read.event_id]
    return True


def _payment_of(database: Database, waiting: UnroutedWebhook) -> str | None:
    """The payment that has the object, or else the one that the webhook waits for."""
    return database.owners.get((waiting.provider, waiting.object_id), waiting.payment_id)


class MemorySweeps:
    """A ``SweepStore``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def now(self) -> datetime:
        """See ``SweepStore.now``: the true time."""
        return SkewedClock()()

    async def read_cursor(self, name: str) -> ListCursor | None:
        """See ``SweepStore.read_cursor``."""
        async with self._connection.statement("read_cursor") as database:
            return database.cursors.get(name)

    async def write_cursor(
        self,
        name: str,
        event_id: str,
        now: datetime,
        at: datetime | None = None,
        published: Sequence[str] = (),
    ) -> None:
        """See ``SweepStore.write_cursor``."""
        del now  # only for an operator
        async with self._connection.statement("write_cursor") as database:
            database.cursors[name] = ListCursor(event_id, at)
            database.published_parts.update(published)
            database.part_readings[name] += event_id == READ

    async def plan_looks(
        self, silent_since: datetime, now: datetime, after: str, limit: int
    ) -> str | None:
        """See ``SweepStore.plan_looks``."""
        async with self._connection.statement("plan_looks") as database:
            page = sorted(
                p.payment_id
                for p in database.payments.values()
                if not is_final(p.status)
                and p.updated_at < silent_since
                and p.object_id is not None
                and p.payment_id > after
            )[:limit]
            for payment_id in page:
                row, known = database.payments[payment_id], database.looks.get(payment_id)
                found = known[2].found if known is not None else None
                if known is None or known[2].version != row.version:
                    look = Look(payment_id, row.version, found, 0, now)
                    database.looks[payment_id] = row.provider, str(row.object_id), look
            return page[-1] if len(page) == limit else None

    async def due_looks(self, provider: str, now: datetime, limit: int) -> list[PlannedLook]:
        """See ``SweepStore.due_looks``."""
        async with self._connection.statement("due_looks") as database:
            due = [
                (look.next_at, object_id, look)
                for its_provider, object_id, look in database.looks.values()
                if its_provider == provider and look.next_at <= now
            ]
            due.sort(key=lambda row: (row[0], row[1]))
            return [
                PlannedLook(
                    payment_id=look.payment_id,
                    object_id=object_id,
                    version=database.payments[look.payment_id].version,
                    payment=decode_payment(database.payments[look.payment_id].document),
                    found=look.found,
                    unchanged=look.unchanged,
                )
                for _, object_id, look in due[:limit]
            ]

    async def note_looks(self, looks: Sequence[Look]) -> None:
        """See ``SweepStore.note_looks``."""
        async with self._connection.statement("note_looks") as database:
            for look in looks:
                provider, object_id, _ = database.looks[look.payment_id]
                database.looks[look.payment_id] = provider, object_id, look

    async def owners_with_payments(
        self, provider: str, objects: Sequence[str]
    ) -> dict[str, tuple[str, Payment | None]]:
        """See ``SweepStore.owners_with_payments``."""
        async with self._connection.statement("owners_with_payments") as database:
            return {
                row.object_id: (row.payment_id, decode_payment(row.document))
                for row in database.payments.values()
                if row.provider == provider and row.object_id and row.object_id in objects
            }

    async def known_events(self, event_ids: Sequence[str]) -> frozenset[str]:
        """See ``SweepStore.known_events``."""
        async with self._connection.statement("known_events") as database:
            return frozenset(event_ids) & (database.inbox.keys() | database.published_parts)

    async def end_looks(self, payment_ids: Sequence[str]) -> None:
        """See ``SweepStore.end_looks``."""
        async with self._connection.statement("end_looks") as database:
            for payment_id in payment_ids:
                database.looks.pop(payment_id, None)

    async def expired(
        self, now: datetime, after: DuePayment | None, limit: int
    ) -> list[DuePayment]:
        """See ``SweepStore.expired``."""
        async with self._connection.statement("payments_expired") as database:
            rows = [
                DuePayment(p.payment_id, p.tenant, p.version, p.expires_at)
                for p in database.payments.values()
                if p.status is Status.REQUIRES_ACTION
                and p.expires_at < now
                and not p.is_cancelling
                and p.payment_id not in database.quarantines
            ]
            rows.sort(key=_by_expiry)
            return [row for row in rows if after is None or _by_expiry(row) > _by_expiry(after)][
                :limit
            ]

    async def gauges(self) -> list[tuple[str, int, datetime | None]]:
        """See ``SweepStore.gauges``. The simulation does not read them."""
        async with self._connection.statement("gauges") as database:
            return [("quarantined_payment", len(database.quarantines), None)]

    async def of_unknown_accounts(
        self, calls: Sequence[str], webhooks: Sequence[str]
    ) -> list[tuple[str, str, int]]:
        """See ``SweepStore.of_unknown_accounts``. Here every account is known."""
        return [(account, "none", 0) for account in (*calls, *webhooks) if not account]


def _by_expiry(row: DuePayment) -> tuple[datetime, str]:
    return row.expires_at, row.payment_id

"""A batch's transaction in memory, with the locks, unique keys and constraints of the SQL.

It follows ``postgres/batch/transaction.py`` statement by statement. A statement sees what was
committed when it began; of two transactions that need the same row, one waits.
"""

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from functools import partial

from msgspec import structs

from domain.status import WAITING, OperationStatus
from domain.view import amounts, snapshot
from ports.batch import InboxEntry, Publishable, PublishableVersion, ReadSet, WriteSet
from ports.errors import BatchConflictError, KeyTakenError
from ports.records import ConsumedRecord, DeadLetter, DecodedInput, named_object, refusal_id
from postgres.batch.operations import publishable
from postgres.batch.transaction import URGENT_WITHIN, as_unrouted, may_unpark
from postgres.documents import decode_payment, encode_payment, encode_publishable
from tests.simulation.postgres.changes import Changes
from tests.simulation.postgres.connection import Connection
from tests.simulation.postgres.database import InboxRow, PaymentRow, RowRefusedError, VersionRow
from tests.simulation.postgres.locks import Session

Decode = Callable[[ConsumedRecord], DecodedInput | DeadLetter]


class MemoryTransaction:
    """A ``Transaction``."""

    def __init__(self, connection: Connection, session: Session, decode: Decode) -> None:
        self._connection = connection
        self._database = connection.database
        self._session = session
        self._decode = decode
        self.changes = Changes()

    async def load(self, batch: Sequence[DecodedInput]) -> ReadSet:
        """See ``Transaction.load``."""
        await self._connection.process.step("batch.load")
        self._connection.fail()
        database = self._database
        for partition in sorted({r.record.position.partition for r in batch}):
            await self._lock("partition", partition)
        visible = [p for p in sorted({r.payment_id for r in batch}) if p in database.payments]
        payments = {}
        for payment_id in visible:
            await self._lock("payment", payment_id)
            payments[payment_id] = decode_payment(database.payments[payment_id].document)
        await self._connection.process.step("batch.locked")
        wanting = {r.payment_id for r in batch if may_unpark(r)}
        unreadable: dict[str, str] = {}
        parked = {p: w for p in sorted(wanting) if (w := self._waiting(p, unreadable))}
        waiting = [received for rows in parked.values() for received in rows]
        apart = [r for r in waiting if refusal_id(r) in database.inbox]
        named = ((r.provider, named_object(r)) for r in (*batch, *waiting))
        return ReadSet(
            payments=payments,
            known={
                known_by: InboxEntry(row.received.record.position, row.outcome, row.publication_id)
                for r in (*batch, *apart)
                for known_by in (r.event_id, refusal_id(r))
                if (row := database.inbox.get(known_by)) is not None
            },
            quarantined=frozenset(
                r.payment_id for r in batch if r.payment_id in database.quarantines
            ),
            parked=parked,
            owners={
                (provider, object_id): owner
                for provider, object_id in named
                if provider is not None
                and object_id is not None
                and (owner := database.owners.get((provider, object_id))) is not None
            },
            unreadable=unreadable,
        )

    def _waiting(self, payment_id: str, unreadable: dict[str, str]) -> tuple[DecodedInput, ...]:
        rows = [
            row
            for row in self._database.inbox.values()
            if row.outcome in WAITING and row.received.payment_id == payment_id
        ]
        waiting = []
        for row in sorted(rows, key=lambda row: row.decided):
            received = self._decode(row.received.record)
            if isinstance(received, DeadLetter):
                unreadable[payment_id] = f"it can no longer be decoded: {received.error}"
            else:
                waiting.append(received)
        return tuple(waiting)

    async def write(self, plan: WriteSet, now: datetime) -> list[Publishable]:
        """See ``Transaction.write``."""
        await self._connection.process.step("batch.write")
        self._connection.fail()
        new = {v.payment.id for v in plan.versions}
        again = {
            payment_id: partition
            for payment_id, partition in plan.announced.items()
            if payment_id in self._database.versions and payment_id not in new
        }
        changed = {v.partition for v in plan.versions} | {o.partition for o in plan.operations}
        partitions = sorted(changed | set(again.values()))
        ids = {p: next(self._database.publication_ids) for p in partitions}
        self.changes.publications = {ids[p]: p for p in partitions}
        self.changes.order = plan.inbox
        await self._write_payments(plan)
        published = await self._write_versions(plan, ids)
        published += [
            structs.replace(
                self._database.versions[payment_id][-1].published,
                publication_id=ids[partition],
                quarantined=payment_id in plan.quarantines,
            )
            for payment_id, partition in again.items()
        ]
        self.changes.announced = published[len(plan.versions) :]
        self._write_operations(plan, ids)
        for call in plan.calls:
            await self._insert(
                "call", call.key, partial(self._database.calls.__contains__, call.key)
            )
        self.changes.calls = list(plan.calls)
        self.changes.urgent = dict.fromkeys(plan.urgent, now + URGENT_WITHIN)
        await self._write_inbox(plan, ids, now)
        self.changes.duplicates = plan.duplicates
        self.changes.dead_letters = plan.dead_letters
        self.changes.misrouted = [(r.payment_id, as_unrouted(r)) for r in plan.misrouted]
        released = frozenset(plan.released)
        if (released | plan.renewed.keys()) - self._database.quarantines.keys():
            raise BatchConflictError("another batch ended a quarantine")
        self.changes.renewed = plan.renewed
        self.changes.quarantines, self.changes.released = plan.quarantines, released
        self.changes.now = now
        return [*published, *self.changes.operations]

    def _write_operations(self, plan: WriteSet, ids: dict[int, int]) -> None:
        stored = self._database.operations
        self.changes.operations = publishable(plan, ids)
        before = {id_: operation.status for id_, operation in stored.items()}
        for operation in self.changes.operations:
            known = before.get(operation.operation_id, operation.status)
            if known not in {OperationStatus.APPLIED, operation.status}:
                raise RowRefusedError(f"final_operation_never_changes: {known} to {operation}")
            before[operation.operation_id] = operation.status

    async def _write_payments(self, plan: WriteSet) -> None:
        for payment in plan.payments.values():
            money = amounts(payment)
            row = PaymentRow(
                payment.id, payment.tenant, payment.provider, payment.object_id, payment.status,
                payment.version, payment.amount, money.authorized, money.captured, money.refunded,
                payment.expires_at, payment.updated_at, payment.cancel is not None,
                encode_payment(payment),
            )  # fmt: skip
            if self._database.refuses(payment.id, payment.version):
                raise RowRefusedError(f"poison: {payment.id}")
            stored = self._database.payments.get(payment.id)
            if payment.id in plan.stored:
                await self._lock("payment", payment.id)
                stored = self._database.payments[payment.id]
                if stored.version != plan.stored[payment.id].version:
                    raise BatchConflictError(f"{payment.id} is at version {stored.version}")
            else:
                taken = partial(self._database.payments.__contains__, payment.id)
                await self._insert("payment", payment.id, taken)
                stored = None
            row.check(stored)
            if row.object_id is not None:
                owned = (row.provider, row.object_id)
                await self._insert(
                    "object", owned, partial(self._has_other_owner, owned, payment.id)
                )
            self.changes.payments[payment.id] = row

    def _has_other_owner(self, owned: tuple[str, str], payment_id: str) -> bool:
        return self._database.owners.get(owned, payment_id) != payment_id

    def _has_version(self, payment_id: str, version: int) -> bool:
        return version <= len(self._database.versions.get(payment_id, ()))

    async def _write_versions(
        self, plan: WriteSet, ids: dict[int, int]
    ) -> list[PublishableVersion]:
        published = []
        for v in plan.versions:
            view = snapshot(v.payment)
            record = PublishableVersion(
                payment_id=view.id,
                version=view.version,
                partition=v.partition,
                at=v.payment.updated_at,
                snapshot=encode_publishable(view),
                publication_id=ids[v.partition],
                quarantined=view.id in plan.quarantines,
            )
            row = VersionRow(v.previous_status, v.payment.status, v.event_id, record)
            row.check()
            taken = partial(self._has_version, view.id, view.version)
            await self._insert("version", (view.id, view.version), taken)
            self.changes.versions.append(row)
            published.append(record)
        return published

    async def _write_inbox(self, plan: WriteSet, ids: dict[int, int], now: datetime) -> None:
        batch = next(self._database.decision_batches) * 1_000_000 if plan.inbox else 0
        self.changes.superseded = plan.superseded
        for event_id in sorted(plan.superseded):
            await self._lock("inbox", event_id)
            if (gone := self._database.inbox.get(event_id)) is None or gone.outcome not in WAITING:
                raise BatchConflictError(f"another batch recorded {event_id}")
        for row in sorted(plan.inbox, key=lambda row: (not row.waiting, row.received.event_id)):
            event_id = row.waits_as or row.event_id
            await self._lock("inbox", event_id)
            stored = None
            if row.waiting or event_id not in (*self.changes.renamed, *plan.superseded):
                stored = self._database.inbox.get(event_id)
            waits = stored is not None and stored.outcome in WAITING
            if row.waiting != waits or (stored is not None and not waits):
                raise BatchConflictError(f"another batch recorded {event_id}")
            partition = row.received.record.position.partition
            is_published = (
                row.version is not None
                or row.changes_operations
                or row.received.payment_id in plan.announced
            )
            publication_id = ids.get(partition) if is_published else None
            recorded_at = now if stored is None else stored.recorded_at
            received = row.received
            if stored is not None:
                received = structs.replace(stored.received, kind=received.kind)
            if row.event_id != event_id:
                self.changes.renamed.append(event_id)
            self.changes.inbox[row.event_id] = InboxRow(
                received, row.outcome, row.reason, row.version, publication_id, recorded_at,
                batch + row.ordinal,
            )  # fmt: skip

    async def _insert(self, table: str, key: Hashable, exists: Callable[[], bool]) -> None:
        """Inserts a unique key, after waiting for a concurrent insert of the same key."""
        if not exists():
            await self._lock(table, key)
        if exists():
            raise KeyTakenError(f"{table} {key} exists")

    async def _lock(self, table: str, key: Hashable) -> None:
        await self._database.locks.acquire(self._session, (table, key))

"""Takes a command in exactly as often as it was meant: a retry meets itself, another body doesn't.

Nothing here is needed for correctness, which the processor's dedup keeps; it is what lets a client
know at once.
"""

import time
from datetime import datetime, timedelta
from typing import Final, Protocol

from pydantic import ValidationError

from ingress.command_builders import Build, Operation
from ingress.database import Database
from ingress.errors import BrokerUnavailableError, DatabaseUnavailableError
from ingress.http.json_body import invalid_fields
from ingress.idempotency import OperationMemory, Remembered, key_reused
from ingress.metrics import Metrics
from ingress.publisher import Publisher, Record
from postgres import reads
from schemas.commands import CommandBase
from schemas.topics import PAYMENT_COMMANDS

LOOKUP_DEADLINE_S: Final = 0.25
#: After a look-up that got no answer, the next ones aren't even tried for this long.
LOOKUP_PAUSE_S: Final = 1.0
#: A retry this much later of something never accepted starts its times anew.
FRESH_FOR: Final = timedelta(minutes=1)


class KnownOperations(Protocol):
    """Finds what is stored of an operation."""

    async def first_input(self, operation: Operation) -> reads.FirstInput | None:
        """The operation's first recorded input; None when there is none.

        Raises DatabaseUnavailableError when nobody can tell.
        """
        ...


class StoredOperations:
    """``KnownOperations`` in Postgres. A slow store is counted and left out."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._paused_until = 0.0

    async def first_input(self, operation: Operation) -> reads.FirstInput | None:
        """See ``KnownOperations``."""
        if time.monotonic() < self._paused_until:
            self._metrics.lookups_skipped.inc()
            raise DatabaseUnavailableError("it did not answer a moment ago")
        try:
            return await self._database.run(
                lambda connection: reads.first_input(
                    connection, operation.operation_id, operation.tenant
                ),
                LOOKUP_DEADLINE_S,
            )
        except DatabaseUnavailableError:
            self._metrics.lookups_skipped.inc()
            self._paused_until = time.monotonic() + LOOKUP_PAUSE_S
            raise


class CommandService:
    """Publishes commands, and remembers them."""

    def __init__(
        self, publisher: Publisher, memory: OperationMemory, seen: KnownOperations, metrics: Metrics
    ) -> None:
        self._publisher = publisher
        self._memory = memory
        self._seen = seen
        self._metrics = metrics

    async def accept(
        self, operation: Operation, build: Build, now: datetime
    ) -> tuple[CommandBase, bool]:
        """The command as the brokers have it, and whether it was known to be accepted before.

        Raises IdempotencyKeyReusedError, BrokerUnavailableError, InvalidFieldsError.
        """
        known = self._memory.find(operation.operation_id)
        found_in = "memory"
        if known is None or not known.settled:
            known, found_in = await self._claim(operation, now)
        # From the claim to the publishing nothing waits, so a request beside this one sees it.
        if known.event_id != operation.event_id:
            raise key_reused()
        if known.accepted:
            self._metrics.replays.labels(found_in).inc()
            return _built(build, known.received_at), True
        if now - known.received_at > FRESH_FOR:
            known.received_at = now
        try:
            command = _built(build, known.received_at)
            await self._publisher.publish(_record(command))
        except BrokerUnavailableError as error:
            if not error.sent:
                self._memory.forget(operation.operation_id, known)
            raise
        known.accepted = True
        return command, False

    async def _claim(self, operation: Operation, now: datetime) -> tuple[Remembered, str]:
        """What holds the operation, after the store was asked, and who said so.

        Another body than a remembered one is refused where the store names the first input, or
        where it had none when the remembered one came. A body that was taken in while the store
        did not answer holds nothing: the first may be in the log, or in the store. Then both are
        published, and the processor rejects the later one.
        """
        stored, answered = None, True
        try:
            stored = await self._seen.first_input(operation)
        except DatabaseUnavailableError:
            answered = False
        keep = self._memory.keep
        if stored is not None:
            first = Remembered(stored.event_id, stored.received_at, accepted=True, settled=True)
            return keep(operation.operation_id, first), "store"
        known = self._memory.find(operation.operation_id)
        if known is None:
            new = Remembered(operation.event_id, now, looked_up=answered)
            return keep(operation.operation_id, new), "memory"
        if known.event_id == operation.event_id or known.looked_up or known.settled:
            return known, "memory"
        return keep(operation.operation_id, Remembered(operation.event_id, now)), "memory"


def _built(build: Build, received_at: datetime) -> CommandBase:
    try:
        return build(received_at)
    except ValidationError as error:
        raise invalid_fields(error) from None


def _record(command: CommandBase) -> Record:
    return Record(PAYMENT_COMMANDS, command.payment_id.encode(), command.model_dump_json().encode())

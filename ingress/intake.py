"""Takes a command in exactly as often as it was meant: a retry meets itself, another body is told.

Nothing here is needed for correctness, which the processor's dedup keeps; it is what lets a client
know at once.
"""

import time
from datetime import datetime, timedelta
from typing import Final, Protocol

from pydantic import ValidationError

from ingress.commands import Arrival, Build, Operation
from ingress.database import Database
from ingress.errors import BrokerUnavailableError, DatabaseUnavailableError
from ingress.idempotency import OperationMemory, key_reused
from ingress.json_body import invalid_fields
from ingress.metrics import Metrics
from ingress.publisher import Publisher, Record
from processor.store import reads
from schemas.commands import CommandBase
from schemas.topics import PAYMENT_COMMANDS

LOOKUP_DEADLINE_S: Final = 0.25
#: After a look-up that got no answer, the next ones aren't even tried for this long.
LOOKUP_PAUSE_S: Final = 1.0
#: A retry this much later of something never accepted starts its times anew.
FRESH_FOR: Final = timedelta(minutes=1)


class Seen(Protocol):
    """Finds what is stored of an operation."""

    async def first_input(self, operation: Operation) -> reads.FirstInput | None:
        """The operation's first recorded input; None when there is none or nobody can tell."""
        ...


class StoredOperations:
    """``Seen`` in Postgres, when it answers quickly; skipped and counted when it doesn't."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._paused_until = 0.0

    async def first_input(self, operation: Operation) -> reads.FirstInput | None:
        """See ``Seen``."""
        if time.monotonic() < self._paused_until:
            self._metrics.lookups_skipped.inc()
            return None
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
            return None


class Intake:
    """Publishes commands, and remembers them."""

    def __init__(
        self, publisher: Publisher, memory: OperationMemory, seen: Seen, metrics: Metrics
    ) -> None:
        self._publisher = publisher
        self._memory = memory
        self._seen = seen
        self._metrics = metrics

    async def accept(
        self, operation: Operation, build: Build, now: datetime, traceparent: str
    ) -> tuple[CommandBase, bool]:
        """The command as the brokers have it, and whether it was known to be accepted before.

        Raises IdempotencyKeyReusedError, BrokerUnavailableError, InvalidFieldsError.
        """
        known = self._memory.find(operation.operation_id, operation.fingerprint)
        found_in = "memory"
        if known is None:
            stored = await self._seen.first_input(operation)
            if stored is not None and stored.event_id != operation.event_id:
                raise key_reused()
            first_at = now if stored is None else stored.received_at
            # From here to the publishing nothing waits, so a request beside this one sees it.
            known = self._memory.claim(operation.operation_id, operation.fingerprint, first_at)
            if stored is not None:
                known.accepted, found_in = True, "store"
        if known.accepted:
            self._metrics.replays.labels(found_in).inc()
            return _built(build, Arrival(known.received_at, traceparent)), True
        if now - known.received_at > FRESH_FOR:
            known.received_at = now
        try:
            command = _built(build, Arrival(known.received_at, traceparent))
            await self._publisher.publish(_record(command))
        except BrokerUnavailableError as error:
            if not error.sent:
                self._memory.forget(operation.operation_id, known)
            raise
        known.accepted = True
        return command, False


def _built(build: Build, arrival: Arrival) -> CommandBase:
    try:
        return build(arrival)
    except ValidationError as error:
        raise invalid_fields(error) from None


def _record(command: CommandBase) -> Record:
    return Record(PAYMENT_COMMANDS, command.payment_id.encode(), command.model_dump_json().encode())

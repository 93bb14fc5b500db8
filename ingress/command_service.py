"""Accepts commands. A retry gets the answer of its first request; another body is refused.

Correctness does not depend on this module: the processor drops duplicates and rejects a second
body. This module only lets the client know at once.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar

from pydantic import ValidationError

from ingress.command_builders import ClientOperation
from ingress.database import Database
from ingress.errors import (
    BrokerUnavailableError,
    DatabaseUnavailableError,
    InvalidFieldsError,
)
from ingress.http.json_body import invalid_fields
from ingress.idempotency import RecentOperation, RecentOperations, key_reused
from ingress.metrics import Metrics
from ingress.publisher import Publisher
from ports.producer_record import ProducerRecord
from postgres import reads
from schemas.commands import CommandBase
from schemas.topics import PAYMENT_COMMANDS

LOOKUP_DEADLINE_S: Final = 0.25
#: No look-up is tried for this long after one that Postgres did not answer in time.
LOOKUP_PAUSE_S: Final = 1.0
#: A retry of a command that was never accepted keeps its first ``received_at`` for this long.
RECEIVED_AT_KEPT_FOR: Final = timedelta(minutes=1)

C = TypeVar("C", bound=CommandBase)


class OperationLookup(Protocol):
    """Finds the first recorded input of an operation."""

    async def first_input(self, operation: ClientOperation) -> reads.FirstInput | None:
        """Returns the operation's first recorded input, or None if there is none.

        Raises DatabaseUnavailableError when the store does not answer.
        """
        ...


class PostgresOperationLookup:
    """An ``OperationLookup`` in Postgres. After a time-out it pauses, and fails at once."""

    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics
        self._paused_until = 0.0

    async def first_input(self, operation: ClientOperation) -> reads.FirstInput | None:
        """See ``OperationLookup.first_input``."""
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
    """Publishes commands, each of them once as far as this process knows.

    Args:
        publisher: where commands are published.
        recent: the operations that this process accepted lately.
        lookup: asked for operations that ``recent`` is not certain of.
        metrics: counts replays.
    """

    def __init__(
        self,
        publisher: Publisher,
        recent: RecentOperations,
        lookup: OperationLookup,
        metrics: Metrics,
    ) -> None:
        self._publisher = publisher
        self._recent = recent
        self._lookup = lookup
        self._metrics = metrics

    async def accept(
        self,
        operation: ClientOperation,
        build: Callable[[datetime], C],
        now: datetime,
        check: Callable[[], None] = lambda: None,
    ) -> tuple[C, bool]:
        """Returns the published command, and whether an earlier request had published it.

        ``check`` raises InvalidFieldsError for what can't be accepted any more. A retry of what
        was accepted is not checked again: it has the first answer, by whichever rules.

        Raises IdempotencyKeyReusedError, BrokerUnavailableError, BodyTooLargeError or
        InvalidFieldsError.
        """
        known = self._recent.find(operation.operation_id)
        found_in = "memory"
        if known is None or not known.is_first:
            known, found_in = await self._claim(operation, now)
        # No await between the claim and the publishing: a concurrent request sees the claim.
        if known.event_id != operation.event_id:
            raise key_reused()
        if known.accepted:
            self._metrics.replays.labels(found_in).inc()
            return _built(build, known.received_at), True
        if now - known.received_at > RECEIVED_AT_KEPT_FOR:
            known.received_at = now
        try:
            check()
            command = _built(build, known.received_at)
            await self._publisher.publish(_record(command))
        except InvalidFieldsError:
            self._recent.discard(operation.operation_id, known)  # the key is free for another body
            raise
        except BrokerUnavailableError as error:
            if not error.sent:
                self._recent.discard(operation.operation_id, known)
            raise
        known.accepted = True
        return command, False

    async def _claim(
        self, operation: ClientOperation, now: datetime
    ) -> tuple[RecentOperation, str]:
        """Returns the input that the operation belongs to, and where it was found.

        It is another input than this request's, which the caller then refuses, in two cases: the
        store has it as the first input, or it came when the store had none. An input that came
        while the store did not answer claims nothing, because an earlier one may be stored. Then
        both are published, and the processor rejects the later one.
        """
        stored, answered = None, True
        try:
            stored = await self._lookup.first_input(operation)
        except DatabaseUnavailableError:
            answered = False
        put = self._recent.put
        if stored is not None:
            first = RecentOperation(
                event_id=stored.event_id,
                received_at=stored.received_at,
                accepted=True,
                is_first=True,
            )
            return put(operation.operation_id, first), "store"
        known = self._recent.find(operation.operation_id)
        if known is None:
            new = RecentOperation(event_id=operation.event_id, received_at=now, looked_up=answered)
            return put(operation.operation_id, new), "memory"
        if known.event_id == operation.event_id or known.looked_up or known.is_first:
            return known, "memory"
        return put(
            operation.operation_id, RecentOperation(event_id=operation.event_id, received_at=now)
        ), "memory"


def _built(build: Callable[[datetime], C], received_at: datetime) -> C:
    try:
        return build(received_at)
    except ValidationError as error:
        raise invalid_fields(error) from None


def _record(command: CommandBase) -> ProducerRecord:
    return ProducerRecord(
        PAYMENT_COMMANDS, command.payment_id.encode(), command.model_dump_json().encode()
    )

"""The present state of a payment or an operation: from Postgres, else from the log."""

from collections.abc import Mapping
from typing import Any, Final

from psycopg import AsyncConnection
from pydantic import ValidationError

from domain.status import WAITING, OperationStatus, Outcome
from ingress import command_builders
from ingress.errors import DatabaseUnavailableError, UnknownOperationError, UnknownPaymentError
from ingress.following.waiters import Waiter
from ingress.routes.dependencies import AppContext, NamedOperation
from ingress.routes.timeline import shown_reason
from postgres import reads
from postgres.reads import CommandOutcome
from schemas import identity
from schemas.commands import CreatePayment
from schemas.operations import Operation

READ_DEADLINE_S: Final = 3.0
#: The statuses of operations that an earlier release decided. All others were not accepted.
_STATUSES: Final[Mapping[str, OperationStatus]] = {
    Outcome.APPLIED: OperationStatus.APPLIED,
    Outcome.STALE: OperationStatus.APPLIED,
    **dict.fromkeys(WAITING, OperationStatus.ACCEPTED),
}


async def current_payment(context: AppContext, tenant: str, payment_id: str) -> str:
    """Returns the payment as JSON text; one that waits for its decision has version 0.

    Raises UnknownPaymentError, DatabaseUnavailableError or NotKnownYetError.
    """
    found = await context.database.run(
        lambda connection: reads.snapshot(connection, payment_id, tenant), READ_DEADLINE_S
    )
    if found is not None:
        return found
    later = await undecided(context, tenant, payment_id)
    return later if isinstance(later, str) else payment_of(later)


def payment_of(command: CreatePayment) -> str:
    """Returns the payment that this create asks for, as JSON text, while nothing is decided."""
    return command_builders.undecided_payment(command).model_dump_json()


async def undecided(context: AppContext, tenant: str, payment_id: str) -> str | CreatePayment:
    """Returns the create of a payment that Postgres did not have, or the payment if it has it now.

    Raises UnknownPaymentError, DatabaseUnavailableError or NotKnownYetError.
    """
    command = await context.accepted.create_of(payment_id)
    event_id = "" if command is None else command.event_id
    operation = NamedOperation(
        identity.public_operation_id(payment_id, event_id), payment_id, event_id
    )

    async def look(connection: AsyncConnection[Any]) -> tuple[str | None, str | None]:
        snapshot = await reads.snapshot(connection, payment_id, tenant)
        if snapshot is not None or command is None:
            return snapshot, None
        stored = await reads.operation(connection, operation.id, payment_id, event_id, tenant)
        return None, as_operation(operation, tenant, stored)

    # the stream may have decided it since the first look
    found, decision = await context.database.run(look, READ_DEADLINE_S)
    if found is not None:
        return found
    if command is None or command.tenant != tenant or _is_rejected(decision):
        raise unknown_payment()
    return command


def _is_rejected(operation: str | None) -> bool:
    status = OperationStatus.REJECTED
    return operation is not None and Operation.model_validate_json(operation).status == status


async def current_operation(context: AppContext, tenant: str, operation: NamedOperation) -> str:
    """Returns the operation as JSON text; one that waits for its decision is accepted.

    Raises UnknownOperationError, DatabaseUnavailableError or NotKnownYetError.
    """
    found = await stored_operation(context, tenant, operation)
    if found is not None:
        return found
    command = await context.accepted.command_of(operation.payment_id, operation.event_id)
    found = await stored_operation(context, tenant, operation)  # it may be decided since
    if found is not None:
        return found
    if command is None or command.tenant != tenant:
        raise UnknownOperationError("You have no operation with this ID. Check the ID.")
    return command_builders.operation_of(command).model_dump_json()


async def stored_operation(
    context: AppContext, tenant: str, operation: NamedOperation
) -> str | None:
    """Returns the operation as Postgres has it, as JSON text; None if it has none.

    Raises DatabaseUnavailableError.
    """
    found = await context.database.run(
        lambda connection: reads.operation(
            connection, operation.id, operation.payment_id, operation.event_id, tenant
        ),
        READ_DEADLINE_S,
    )
    return as_operation(operation, tenant, found)


def as_operation(
    operation: NamedOperation, tenant: str, found: str | CommandOutcome | None
) -> str | None:
    """Returns what was found as the JSON text of an operation.

    Without a document it is made of the command's outcome alone. None: it is no command of a
    client's.
    """
    if not isinstance(found, CommandOutcome):
        return found
    waits = found.outcome in WAITING
    try:
        return Operation.model_validate(
            {
                "id": operation.id,
                "payment_id": operation.payment_id,
                "tenant": tenant,
                "type": found.kind.removeprefix("command."),
                "status": _STATUSES.get(found.outcome, OperationStatus.REJECTED),
                "code": None,
                "reason": shown_reason(operation.payment_id, found.outcome, found.reason),
                "version": found.version,
                "refund_id": None,
                "received_at": found.received_at,
                "updated_at": found.received_at if waits else found.recorded_at,
            }
        ).model_dump_json()
    except ValidationError:
        return None


async def note_stored(
    context: AppContext, tenant: str, operation: NamedOperation, waiter: Waiter
) -> None:
    """Lets a waiter note what Postgres has by now, if that answers."""

    async def look(connection: AsyncConnection[Any]) -> tuple[str | None, str | None]:
        stored = await reads.operation(
            connection, operation.id, operation.payment_id, operation.event_id, tenant
        )
        payment = None
        if waiter.for_payment:
            payment = await reads.snapshot(connection, operation.payment_id, tenant)
        return as_operation(operation, tenant, stored), payment

    try:
        stored, payment = await context.database.run(look, READ_DEADLINE_S)
    except DatabaseUnavailableError:
        return
    if stored is not None:
        waiter.note_operation(stored)
    if payment is not None:
        waiter.note_payment(payment)


def unknown_payment() -> UnknownPaymentError:
    """The problem of a payment that is neither in Postgres nor accepted."""
    return UnknownPaymentError("You have no payment with this ID. Check the ID.")

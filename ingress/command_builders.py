"""From a checked request to the command that is published, and to the answer. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from schemas import identity
from schemas.commands import (
    CancelPayment,
    CapturePayment,
    CommandBase,
    ConfirmPayment,
    CreatePayment,
    PaymentTerms,
    RefundPayment,
)
from schemas.http import (
    AcceptedOperation,
    AcceptedPayment,
    CancelRequest,
    CaptureRequest,
    ConfirmRequest,
    CreateRequest,
    RefundRequest,
)
from schemas.model import Model

OnPayment = Literal["confirm", "capture", "cancel", "refund"]


@dataclass(frozen=True, slots=True)
class Operation:
    """What one request asks for, by its derived names: a retry of it has the same ones."""

    tenant: str
    payment_id: str
    operation_id: str
    fingerprint: str
    event_id: str


#: Builds an operation's command from the time at which the operation first came.
Build = Callable[[datetime], CommandBase]


def identify_create(tenant: str, key: str, body: CreateRequest) -> Operation:
    """The payment that this tenant's Idempotency-Key names, and the creation of it."""
    return _identify(tenant, identity.payment_id(tenant, key), "create", key, body)


def identify(tenant: str, payment_id: str, name: OnPayment, key: str, body: Model) -> Operation:
    """An operation on a payment that exists, as far as its ID can tell."""
    return _identify(tenant, payment_id, name, key, body)


def _identify(tenant: str, payment_id: str, name: str, key: str, body: Model) -> Operation:
    operation_id = identity.operation_id(tenant, payment_id, name, key)
    # a field that is not given is left out, so that a new one changes no known operation
    fingerprint = identity.fingerprint(body.model_dump(mode="json", exclude_none=True))
    return Operation(
        tenant=tenant,
        payment_id=payment_id,
        operation_id=operation_id,
        fingerprint=fingerprint,
        event_id=identity.command_event_id(operation_id, fingerprint),
    )


def _shared(operation: Operation, received_at: datetime) -> dict[str, Any]:
    """What every command carries."""
    return {
        "event_id": operation.event_id,
        "payment_id": operation.payment_id,
        "tenant": operation.tenant,
        "operation_id": operation.operation_id,
        "fingerprint": operation.fingerprint,
        "received_at": received_at,
    }


def create(
    operation: Operation,
    body: CreateRequest,
    received_at: datetime,
    *,
    provider: str,
    expiry: timedelta,
) -> CreatePayment:
    """Raises pydantic's ValidationError where a command is narrower than the request."""
    return CreatePayment(
        **_shared(operation, received_at),
        **body.model_dump(exclude={"provider"}),
        provider=provider,
        expires_at=received_at + expiry,
    )


def confirm(operation: Operation, body: ConfirmRequest, received_at: datetime) -> ConfirmPayment:
    """Start the next attempt."""
    return ConfirmPayment(**_shared(operation, received_at), **body.model_dump())


def capture(operation: Operation, body: CaptureRequest, received_at: datetime) -> CapturePayment:
    """Capture an amount, or all."""
    return CapturePayment(**_shared(operation, received_at), **body.model_dump())


def cancel(operation: Operation, _body: CancelRequest, received_at: datetime) -> CancelPayment:
    """Ask for a cancel."""
    return CancelPayment(**_shared(operation, received_at))


def refund(
    operation: Operation, body: RefundRequest, received_at: datetime, refund_id: str
) -> RefundPayment:
    """Give back an amount, or all that is left."""
    return RefundPayment(
        **_shared(operation, received_at), refund_id=refund_id, **body.model_dump()
    )


def accepted_payment(command: CreatePayment) -> AcceptedPayment:
    """The answer to a create."""
    return AcceptedPayment(
        **command.model_dump(include=set(PaymentTerms.model_fields)),
        id=command.payment_id,
        expires_at=command.expires_at,
        event_id=command.event_id,
    )


def accepted_operation(name: OnPayment, command: CommandBase) -> AcceptedOperation:
    """The answer to everything else, read off the command as the brokers have it."""
    amount, amount_is = _understood(command)
    return AcceptedOperation(
        payment_id=command.payment_id,
        operation=name,
        operation_id=command.operation_id,
        event_id=command.event_id,
        refund_id=command.refund_id if isinstance(command, RefundPayment) else None,
        amount=amount,
        amount_is=amount_is,
    )


def _understood(
    command: CommandBase,
) -> tuple[int | None, Literal["given", "all_that_is_left"] | None]:
    if not isinstance(command, CapturePayment | RefundPayment):
        return None, None
    return command.amount, "given" if command.amount is not None else "all_that_is_left"

"""Builds commands from checked requests, and answers from commands. Pure.

A command takes its fields from the request by name. A field that both models have needs no line
here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from domain.status import OperationStatus, Status
from schemas import identity
from schemas.answers import AcceptedOperation, AcceptedPayment
from schemas.commands import (
    CancelPayment,
    CapturePayment,
    Command,
    CommandBase,
    ConfirmPayment,
    CreatePayment,
    PaymentTerms,
    RefundPayment,
)
from schemas.http import (
    CancelRequest,
    CaptureRequest,
    ConfirmRequest,
    CreateRequest,
    Payment,
    RefundRequest,
)
from schemas.model import Model
from schemas.operations import Operation
from schemas.state import Amounts

PaymentOperation = Literal["confirm", "capture", "cancel", "refund"]
#: The command of each.
PaymentCommand = ConfirmPayment | CapturePayment | CancelPayment | RefundPayment


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOperation:
    """What a client asks for, with its derived IDs. A retry has the same ones."""

    tenant: str
    payment_id: str
    operation_id: str
    #: Digest of the request's body.
    fingerprint: str
    event_id: str

    @property
    def public_id(self) -> str:
        """The ID under which the client reads it."""
        return identity.public_operation_id(self.payment_id, self.event_id)


#: Builds an operation's command. Takes the time at which the operation's first request came.
BuildCommand = Callable[[datetime], CommandBase]


def identify_create(tenant: str, key: str, body: CreateRequest) -> ClientOperation:
    """Returns the creation of the payment that this tenant's Idempotency-Key names."""
    return _identify(tenant, identity.payment_id(tenant, key), "create", key, body)


def identify(
    tenant: str, payment_id: str, name: PaymentOperation, key: str, body: Model
) -> ClientOperation:
    """Returns an operation on an existing payment. Whether it exists is not checked here."""
    return _identify(tenant, payment_id, name, key, body)


def _identify(tenant: str, payment_id: str, name: str, key: str, body: Model) -> ClientOperation:
    operation_id = identity.operation_id(tenant, payment_id, name, key)
    # Absent fields are left out, so that a new optional field changes no stored fingerprint.
    fingerprint = identity.fingerprint(body.model_dump(mode="json", exclude_none=True))
    return ClientOperation(
        tenant=tenant,
        payment_id=payment_id,
        operation_id=operation_id,
        fingerprint=fingerprint,
        event_id=identity.command_event_id(operation_id, fingerprint),
    )


def _envelope(operation: ClientOperation, received_at: datetime) -> dict[str, Any]:
    """Returns the fields that every command has."""
    return {
        "event_id": operation.event_id,
        "payment_id": operation.payment_id,
        "tenant": operation.tenant,
        "operation_id": operation.operation_id,
        "fingerprint": operation.fingerprint,
        "received_at": received_at,
    }


def create(
    operation: ClientOperation,
    body: CreateRequest,
    received_at: datetime,
    *,
    provider: str,
    expiry: timedelta,
) -> CreatePayment:
    """Builds a create.

    Raises pydantic's ValidationError where the command's limits are narrower than the request's.
    """
    return CreatePayment(
        **_envelope(operation, received_at),
        **body.model_dump(exclude={"provider"}),
        provider=provider,
        expires_at=received_at + expiry,
    )


def confirm(
    operation: ClientOperation, body: ConfirmRequest, received_at: datetime
) -> ConfirmPayment:
    """Builds a confirm."""
    return ConfirmPayment(**_envelope(operation, received_at), **body.model_dump())


def capture(
    operation: ClientOperation, body: CaptureRequest, received_at: datetime
) -> CapturePayment:
    """Builds a capture."""
    return CapturePayment(**_envelope(operation, received_at), **body.model_dump())


def cancel(operation: ClientOperation, body: CancelRequest, received_at: datetime) -> CancelPayment:
    """Builds a cancel that the client requested."""
    return CancelPayment(**_envelope(operation, received_at), **body.model_dump())


def refund(
    operation: ClientOperation, body: RefundRequest, received_at: datetime, *, refund_id: str
) -> RefundPayment:
    """Builds a refund."""
    return RefundPayment(
        **_envelope(operation, received_at), **body.model_dump(), refund_id=refund_id
    )


def accepted_payment(command: CreatePayment) -> AcceptedPayment:
    """Returns the answer to a create."""
    return AcceptedPayment(
        **command.model_dump(include=set(PaymentTerms.model_fields)),
        id=command.payment_id,
        expires_at=command.expires_at,
        event_id=command.event_id,
        operation=operation_of(command),
    )


def undecided_payment(command: CreatePayment) -> Payment:
    """Returns the payment that a create asks for, while nothing is decided: its version is 0."""
    return Payment(
        **command.model_dump(include=set(Payment.model_fields)),
        id=command.payment_id,
        version=0,
        status=Status.CREATED,
        amounts=Amounts(authorized=0, captured=0, refunded=0),
        attempts=1,
        next_action=None,
        failure=None,
        cancel_requested=False,
        provider_object_id=None,
        refunds=(),
        disputes=(),
        created_at=command.received_at,
        updated_at=command.received_at,
        quarantined=False,
    )


def accepted_operation(command: PaymentCommand) -> AcceptedOperation:
    """Returns the answer to any other operation, from the command that was published."""
    return AcceptedOperation(
        payment_id=command.payment_id,
        type=command.type,
        operation=operation_of(command),
        event_id=command.event_id,
        refund_id=command.refund_id if isinstance(command, RefundPayment) else None,
        amount=command.amount if isinstance(command, CapturePayment | RefundPayment) else None,
        payment_method=command.payment_method if isinstance(command, ConfirmPayment) else None,
        reason=command.reason if isinstance(command, RefundPayment) else None,
    )


def operation_of(command: Command) -> Operation:
    """Returns the operation of a command that is in the log, while nothing is decided."""
    return Operation(
        id=identity.public_operation_id(command.payment_id, command.event_id),
        payment_id=command.payment_id,
        tenant=command.tenant,
        type=command.type,
        status=OperationStatus.ACCEPTED,
        code=None,
        reason=None,
        version=None,
        refund_id=command.refund_id if isinstance(command, RefundPayment) else None,
        received_at=command.received_at,
        updated_at=command.received_at,
    )

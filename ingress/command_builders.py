"""Builds commands from checked requests, and answers from commands. Pure.

A command takes its fields from the request by name. A field that both models have needs no line
here.
"""

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

PaymentOperation = Literal["confirm", "capture", "cancel", "refund"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOperation:
    """What a client asks for, with its derived IDs. A retry has the same ones."""

    tenant: str
    payment_id: str
    operation_id: str
    #: Digest of the request's body.
    fingerprint: str
    event_id: str


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
    )


def accepted_operation(name: PaymentOperation, command: CommandBase) -> AcceptedOperation:
    """Returns the answer to any other operation, from the command that was published."""
    return AcceptedOperation(
        payment_id=command.payment_id,
        operation=name,
        operation_id=command.operation_id,
        event_id=command.event_id,
        refund_id=command.refund_id if isinstance(command, RefundPayment) else None,
        amount=command.amount if isinstance(command, CapturePayment | RefundPayment) else None,
    )

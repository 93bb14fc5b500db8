"""``POST /v1/payments`` and the operations on one payment: checked, published, answered 202."""

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response
from structlog.contextvars import bind_contextvars

from ingress import command_builders, errors
from ingress.command_builders import Build, OnPayment, Operation
from ingress.routes.dependencies import (
    IdempotencyKey,
    OwnedPayment,
    Parts,
    Tenant,
    json_body,
    parts_of,
)
from ingress.routes.openapi import ACCEPTED, json_request, problems
from schemas import identity
from schemas.commands import CommandBase, CreatePayment
from schemas.http import (
    AcceptedOperation,
    AcceptedPayment,
    CancelRequest,
    CaptureRequest,
    ConfirmRequest,
    CreateRequest,
    FieldProblem,
    RefundRequest,
)
from schemas.model import Model

REPLAYED: Final = "Idempotent-Replayed"

_REFUSALS: Final = (
    errors.UnauthorizedError,
    errors.MissingIdempotencyKeyError,
    errors.InvalidIdempotencyKeyError,
    errors.MalformedBodyError,
    errors.SlowBodyError,
    errors.BodyTooLargeError,
    errors.UnsupportedMediaTypeError,
    errors.InvalidFieldsError,
    errors.IdempotencyKeyReusedError,
    errors.BrokerUnavailableError,
)

router: Final = APIRouter(tags=["payments"])


def _route(body: type[Model], example: dict[str, Any], answer: type[Model]) -> dict[str, Any]:
    """What all command routes declare alike."""
    refusals = _REFUSALS if body is CreateRequest else (*_REFUSALS, errors.UnknownPaymentError)
    return {
        "status_code": 202,
        "response_model": answer,
        "responses": {202: ACCEPTED, **problems(*refusals)},
        "openapi_extra": json_request(body, example),
    }


@router.post(
    "/v1/payments",
    **_route(
        CreateRequest,
        {"amount": 1999, "currency": "EUR", "payment_method": "the-providers-token"},
        AcceptedPayment,
    ),
)
async def create_payment(
    request: Request,
    tenant: Tenant,
    key: IdempotencyKey,
    body: Annotated[CreateRequest, Depends(json_body(CreateRequest))],
) -> Response:
    """Accepts a payment. What becomes of it is at ``Location``."""
    parts = parts_of(request)
    operation = command_builders.identify_create(tenant, key, body)
    build = partial(
        command_builders.create,
        operation,
        body,
        provider=_provider(parts, body),
        expiry=parts.payment_expiry,
    )
    command, replayed = await _accept(parts, operation, build)
    if not isinstance(command, CreatePayment):
        raise TypeError(f"a create was built as {type(command).__name__}")
    return _accepted(command_builders.accepted_payment(command), operation, replayed=replayed)


@router.post(
    "/v1/payments/{id}/confirm",
    **_route(ConfirmRequest, {"payment_method": "another-token"}, AcceptedOperation),
)
async def confirm_payment(
    request: Request,
    tenant: Tenant,
    payment_id: OwnedPayment,
    key: IdempotencyKey,
    body: Annotated[ConfirmRequest, Depends(json_body(ConfirmRequest))],
) -> Response:
    """Starts the next attempt, with another payment method."""
    operation = command_builders.identify(tenant, payment_id, "confirm", key, body)
    return await _operate(
        request, operation, "confirm", partial(command_builders.confirm, operation, body)
    )


@router.post(
    "/v1/payments/{id}/capture", **_route(CaptureRequest, {"amount": 1500}, AcceptedOperation)
)
async def capture_payment(
    request: Request,
    tenant: Tenant,
    payment_id: OwnedPayment,
    key: IdempotencyKey,
    body: Annotated[CaptureRequest, Depends(json_body(CaptureRequest))],
) -> Response:
    """Captures an authorized payment: the amount given, or all of it for the body ``{}``."""
    operation = command_builders.identify(tenant, payment_id, "capture", key, body)
    return await _operate(
        request, operation, "capture", partial(command_builders.capture, operation, body)
    )


@router.post("/v1/payments/{id}/cancel", **_route(CancelRequest, {}, AcceptedOperation))
async def cancel_payment(
    request: Request,
    tenant: Tenant,
    payment_id: OwnedPayment,
    key: IdempotencyKey,
    body: Annotated[CancelRequest, Depends(json_body(CancelRequest))],
) -> Response:
    """Asks for a cancel; the body is ``{}``. The payment is CANCELED once the provider says so."""
    operation = command_builders.identify(tenant, payment_id, "cancel", key, body)
    return await _operate(
        request, operation, "cancel", partial(command_builders.cancel, operation, body)
    )


@router.post(
    "/v1/payments/{id}/refunds",
    **_route(RefundRequest, {"amount": 500, "reason": "requested_by_customer"}, AcceptedOperation),
)
async def refund_payment(
    request: Request,
    tenant: Tenant,
    payment_id: OwnedPayment,
    key: IdempotencyKey,
    body: Annotated[RefundRequest, Depends(json_body(RefundRequest))],
) -> Response:
    """Gives back the amount given, or all that is left for the body ``{}``."""
    operation = command_builders.identify(tenant, payment_id, "refund", key, body)
    refund_id = identity.refund_id(payment_id, key)
    build = partial(command_builders.refund, operation, body, refund_id=refund_id)
    return await _operate(request, operation, "refund", build)


def _provider(parts: Parts, body: CreateRequest) -> str:
    """The provider that is asked for, or the usual one. Raises InvalidFieldsError."""
    provider = parts.default_provider if body.provider is None else body.provider
    if provider not in parts.readers:
        problem = FieldProblem(
            field="provider", problem=f"One of {', '.join(sorted(parts.readers))}"
        )
        raise errors.InvalidFieldsError("See errors for each field.", (problem,))
    return provider


async def _operate(
    request: Request,
    operation: Operation,
    name: OnPayment,
    build: Build,
) -> Response:
    parts = parts_of(request)
    command, replayed = await _accept(parts, operation, build)
    answer = command_builders.accepted_operation(name, command)
    return _accepted(answer, operation, replayed=replayed)


async def _accept(parts: Parts, operation: Operation, build: Build) -> tuple[CommandBase, bool]:
    bind_contextvars(payment_id=operation.payment_id, event_id=operation.event_id)
    return await parts.intake.accept(operation, build, parts.clock())


def _accepted(answer: Model, operation: Operation, *, replayed: bool) -> Response:
    headers = {"Location": f"/v1/payments/{operation.payment_id}"}
    if replayed:
        headers[REPLAYED] = "true"
    return Response(
        answer.model_dump_json(), status_code=202, media_type="application/json", headers=headers
    )

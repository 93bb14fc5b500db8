"""``POST /v1/payments`` and the operations on a payment: checked, published, answered 202."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response
from structlog.contextvars import bind_contextvars

from ingress import command_builders, errors
from ingress.command_builders import BuildCommand, ClientOperation, PaymentOperation
from ingress.routes import examples
from ingress.routes.dependencies import (
    AppContext,
    IdempotencyKey,
    OwnedPayment,
    Tenant,
    context_of,
    json_body,
)
from ingress.routes.openapi import ACCEPTED, json_request, problems
from schemas import identity
from schemas.accounts.provider_accounts import TenantAccounts
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


def _route(
    summary: str, body: type[Model], example: Mapping[str, Any], answer: type[Model]
) -> dict[str, Any]:
    """Returns what every command route declares for FastAPI."""
    refusals = _REFUSALS if body is CreateRequest else (*_REFUSALS, errors.UnknownPaymentError)
    return {
        "summary": summary,
        "status_code": 202,
        "response_model": answer,
        "responses": {202: ACCEPTED, **problems(*refusals)},
        "openapi_extra": json_request(body, example),
    }


@router.post(
    "/v1/payments",
    **_route("Create a payment", CreateRequest, examples.CREATE, AcceptedPayment),
)
async def create_payment(
    request: Request,
    tenant: Tenant,
    key: IdempotencyKey,
    body: Annotated[CreateRequest, Depends(json_body(CreateRequest))],
) -> Response:
    """Accepts a new payment. Read its progress at ``Location``."""
    context = context_of(request)
    accounts = context.accounts.of(tenant)
    provider = accounts.default if body.provider is None else body.provider
    operation = command_builders.identify_create(tenant, key, body)
    build = partial(
        command_builders.create,
        operation,
        body,
        provider=provider,
        expiry=context.payment_expiry,
    )
    check = partial(_check_create, context, accounts, provider, body)
    command, replayed = await _accept(context, operation, build, check)
    if not isinstance(command, CreatePayment):
        raise TypeError(f"a create was built as {type(command).__name__}")
    return _accepted(command_builders.accepted_payment(command), operation, replayed=replayed)


@router.post(
    "/v1/payments/{id}/confirm",
    **_route("Start the next attempt", ConfirmRequest, examples.CONFIRM, AcceptedOperation),
)
async def confirm_payment(
    request: Request,
    tenant: Tenant,
    payment_id: OwnedPayment,
    key: IdempotencyKey,
    body: Annotated[ConfirmRequest, Depends(json_body(ConfirmRequest))],
) -> Response:
    """Starts the next attempt with another payment method."""
    operation = command_builders.identify(tenant, payment_id, "confirm", key, body)
    return await _accept_operation(
        request, operation, "confirm", partial(command_builders.confirm, operation, body)
    )


@router.post(
    "/v1/payments/{id}/capture",
    **_route("Capture an authorized payment", CaptureRequest, examples.CAPTURE, AcceptedOperation),
)
async def capture_payment(
    request: Request,
    tenant: Tenant,
    payment_id: OwnedPayment,
    key: IdempotencyKey,
    body: Annotated[CaptureRequest, Depends(json_body(CaptureRequest))],
) -> Response:
    """Captures the given amount of an authorized payment, or ``"all"`` that is authorized."""
    operation = command_builders.identify(tenant, payment_id, "capture", key, body)
    return await _accept_operation(
        request, operation, "capture", partial(command_builders.capture, operation, body)
    )


@router.post(
    "/v1/payments/{id}/cancel",
    **_route("Cancel a payment", CancelRequest, examples.CANCEL, AcceptedOperation),
)
async def cancel_payment(
    request: Request,
    tenant: Tenant,
    payment_id: OwnedPayment,
    key: IdempotencyKey,
    body: Annotated[CancelRequest, Depends(json_body(CancelRequest))],
) -> Response:
    """Requests a cancel, with the body ``{}``. CANCELED follows once the provider confirms it."""
    operation = command_builders.identify(tenant, payment_id, "cancel", key, body)
    return await _accept_operation(
        request, operation, "cancel", partial(command_builders.cancel, operation, body)
    )


@router.post(
    "/v1/payments/{id}/refunds",
    **_route("Refund a payment", RefundRequest, examples.REFUND, AcceptedOperation),
)
async def refund_payment(
    request: Request,
    tenant: Tenant,
    payment_id: OwnedPayment,
    key: IdempotencyKey,
    body: Annotated[RefundRequest, Depends(json_body(RefundRequest))],
) -> Response:
    """Refunds the given amount, or ``"all"`` that is left."""
    operation = command_builders.identify(tenant, payment_id, "refund", key, body)
    refund_id = identity.refund_id(payment_id, key)
    build = partial(command_builders.refund, operation, body, refund_id=refund_id)
    return await _accept_operation(request, operation, "refund", build)


def _check_create(
    context: AppContext, accounts: TenantAccounts, provider: str, body: CreateRequest
) -> None:
    """Raises InvalidFieldsError for an account that the tenant may not use, or an impossible sum.

    A create that was accepted is not checked again: a retry has its answer, also once the account
    is withdrawn.
    """
    if provider not in accounts.names or provider not in context.money_rules:
        usable = accounts.names.intersection(context.money_rules)
        raise _invalid("provider", f"Use one of: {', '.join(sorted(usable))}")
    refusal = context.money_rules[provider].refuses(body.amount, body.currency)
    if refusal is not None:
        raise _invalid(refusal.field, refusal.rule)


def _invalid(field: str, problem: str) -> errors.InvalidFieldsError:
    return errors.InvalidFieldsError(
        "Correct each field that is listed in errors.",
        (FieldProblem(field=field, problem=problem),),
    )


async def _accept_operation(
    request: Request,
    operation: ClientOperation,
    name: PaymentOperation,
    build: BuildCommand,
) -> Response:
    context = context_of(request)
    command, replayed = await _accept(context, operation, build)
    answer = command_builders.accepted_operation(name, command)
    return _accepted(answer, operation, replayed=replayed)


async def _accept(
    context: AppContext,
    operation: ClientOperation,
    build: BuildCommand,
    check: Callable[[], None] = lambda: None,
) -> tuple[CommandBase, bool]:
    bind_contextvars(payment_id=operation.payment_id, event_id=operation.event_id)
    return await context.command_service.accept(operation, build, context.clock(), check)


def _accepted(answer: Model, operation: ClientOperation, *, replayed: bool) -> Response:
    headers = {"Location": f"/v1/payments/{operation.payment_id}"}
    if replayed:
        headers[REPLAYED] = "true"
    return Response(
        answer.model_dump_json(), status_code=202, media_type="application/json", headers=headers
    )

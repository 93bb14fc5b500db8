"""``POST /v1/payments`` and the operations on a payment: checked, published, answered 202."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response
from structlog.contextvars import bind_contextvars

from ingress import command_builders, errors
from ingress.command_builders import ClientOperation, PaymentCommand
from ingress.routes import examples
from ingress.routes.current import note_stored
from ingress.routes.dependencies import (
    AppContext,
    IdempotencyKey,
    NamedOperation,
    OwnedPayment,
    Tenant,
    Wait,
    context_of,
    json_body,
)
from ingress.routes.openapi import (
    ACCEPTED,
    ACCEPTED_OPERATION,
    DECIDED,
    DECIDED_OPERATION,
    json_request,
    problems,
)
from ingress.routes.waiting import answer_of, applied, is_decided, waiter_of
from schemas import identity
from schemas.accounts.provider_accounts import TenantAccounts
from schemas.answers import AcceptedOperation, AcceptedPayment
from schemas.commands import CommandBase
from schemas.http import (
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

C = TypeVar("C", bound=CommandBase)

router: Final = APIRouter(tags=["payments"])


def _route(
    summary: str, body: type[Model], example: Mapping[str, Any], answer: type[Model]
) -> dict[str, Any]:
    """Returns what every command route declares for FastAPI."""
    is_create = body is CreateRequest
    refusals = _REFUSALS if is_create else (*_REFUSALS, errors.UnknownPaymentError)
    accepted, decided = (
        (ACCEPTED, DECIDED) if is_create else (ACCEPTED_OPERATION, DECIDED_OPERATION)
    )
    return {
        "summary": summary,
        "status_code": 202,
        "response_model": answer,
        "responses": {200: decided, 202: accepted, **problems(*refusals)},
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
    wait_s: Wait,
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
    return await _accept(
        request,
        operation,
        wait_s,
        lambda now: context.command_service.accept(operation, build, now, check),
        command_builders.accepted_payment,
    )


@router.post(
    "/v1/payments/{id}/confirm",
    **_route("Start the next attempt", ConfirmRequest, examples.CONFIRM, AcceptedOperation),
)
async def confirm_payment(
    request: Request,
    tenant: Tenant,
    payment_id: OwnedPayment,
    key: IdempotencyKey,
    wait_s: Wait,
    body: Annotated[ConfirmRequest, Depends(json_body(ConfirmRequest))],
) -> Response:
    """Starts the next attempt with another payment method."""
    operation = command_builders.identify(tenant, payment_id, "confirm", key, body)
    return await _accept_operation(
        request, operation, wait_s, partial(command_builders.confirm, operation, body)
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
    wait_s: Wait,
    body: Annotated[CaptureRequest, Depends(json_body(CaptureRequest))],
) -> Response:
    """Captures the given amount of an authorized payment, or ``"all"`` that is authorized."""
    operation = command_builders.identify(tenant, payment_id, "capture", key, body)
    return await _accept_operation(
        request, operation, wait_s, partial(command_builders.capture, operation, body)
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
    wait_s: Wait,
    body: Annotated[CancelRequest, Depends(json_body(CancelRequest))],
) -> Response:
    """Requests a cancel, with the body ``{}``. CANCELED follows once the provider confirms it."""
    operation = command_builders.identify(tenant, payment_id, "cancel", key, body)
    return await _accept_operation(
        request, operation, wait_s, partial(command_builders.cancel, operation, body)
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
    wait_s: Wait,
    body: Annotated[RefundRequest, Depends(json_body(RefundRequest))],
) -> Response:
    """Refunds the given amount, or ``"all"`` that is left."""
    operation = command_builders.identify(tenant, payment_id, "refund", key, body)
    refund_id = identity.refund_id(payment_id, key)
    build = partial(command_builders.refund, operation, body, refund_id=refund_id)
    return await _accept_operation(request, operation, wait_s, build)


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
    wait_s: int | None,
    build: Callable[[datetime], PaymentCommand],
) -> Response:
    service = context_of(request).command_service
    return await _accept(
        request,
        operation,
        wait_s,
        lambda now: service.accept(operation, build, now),
        command_builders.accepted_operation,
    )


async def _accept(
    request: Request,
    operation: ClientOperation,
    wait_s: int | None,
    accept: Callable[[datetime], Awaitable[tuple[C, bool]]],
    answer: Callable[[C], AcceptedPayment | AcceptedOperation],
) -> Response:
    """Accepts a command, and waits for its decision if the client prefers that."""
    bind_contextvars(payment_id=operation.payment_id, event_id=operation.event_id)
    context = context_of(request)
    named = NamedOperation(operation.public_id, operation.payment_id, operation.event_id)
    is_create = answer is command_builders.accepted_payment
    async with waiter_of(
        context, wait_s, named.payment_id, named.id, for_payment=is_create
    ) as waiter:
        (text, location), replayed = await _answered(answer, accept(context.clock()))
        headers = {"Location": location, **applied(waiter, wait_s)}
        if replayed:
            headers[REPLAYED] = "true"
        if waiter is not None:
            if replayed:  # what was decided before is not published again
                await note_stored(context, operation.tenant, named, waiter)
            if await is_decided(context, request, waiter, wait_s):
                return answer_of(text, waiter, headers)
    return Response(text, status_code=202, media_type="application/json", headers=headers)


async def _answered(
    answer: Callable[[C], AcceptedPayment | AcceptedOperation], accepting: Awaitable[tuple[C, bool]]
) -> tuple[tuple[str, str], bool]:
    """Returns the answer as JSON text and where to read what becomes of it; and if it is a replay.

    A request that waits keeps these texts, and none of the models.
    """
    command, replayed = await accepting
    accepted = answer(command)
    if isinstance(accepted, AcceptedPayment):
        location = f"/v1/payments/{accepted.id}"
    else:
        location = f"/v1/operations/{accepted.operation.id}"
    return (accepted.model_dump_json(), location), replayed

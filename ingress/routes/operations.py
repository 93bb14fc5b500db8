"""``GET /v1/operations/{id}``: what a client asked for, and what became of it."""

from contextlib import suppress
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ingress import errors
from ingress.routes.current import current_operation
from ingress.routes.dependencies import OwnedOperation, Tenant, Wait, context_of
from ingress.routes.openapi import problems
from ingress.routes.payment_reads import JSON
from ingress.routes.waiting import applied, is_decided, waiter_of
from schemas.operations import Operation

router: Final = APIRouter(tags=["payments"])


@router.get(
    "/v1/operations/{id}",
    summary="Read an operation",
    response_model=Operation,
    responses={
        200: {"description": "The operation."},
        **problems(
            errors.UnauthorizedError,
            errors.UnknownOperationError,
            errors.DatabaseUnavailableError,
            errors.NotKnownYetError,
        ),
    },
)
async def get_operation(
    request: Request, tenant: Tenant, operation: OwnedOperation, wait_s: Wait
) -> Response:
    """Returns what a client asked for, and what became of it.

    A client that prefers to wait gets it once it is rejected, done or refused.
    """
    context, about = context_of(request), (operation.payment_id, operation.id)
    async with waiter_of(context, wait_s, *about, for_payment=False) as waiter:
        found = await current_operation(context, tenant, operation)
        if waiter is not None:
            waiter.note_operation(found)
            if not await is_decided(context, request, waiter, wait_s):
                with suppress(errors.UnavailableError):
                    waiter.note_operation(await current_operation(context, tenant, operation))
            found = waiter.operation or found
    return Response(found, media_type=JSON, headers=applied(waiter, wait_s))

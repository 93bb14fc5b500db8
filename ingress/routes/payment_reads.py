"""Reads one payment, and its timeline."""

from collections.abc import Awaitable
from contextlib import suppress
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from domain.status import Status
from ingress import errors
from ingress.http.etags import ETAG, IF_NONE_MATCH, tagged
from ingress.routes import cursors
from ingress.routes.current import READ_DEADLINE_S, current_payment, undecided
from ingress.routes.dependencies import OwnedPayment, Tenant, Wait, context_of
from ingress.routes.openapi import problems
from ingress.routes.timeline import timeline
from ingress.routes.waiting import applied, is_decided, waiter_of
from postgres.timeline import CurrentStatus, History
from postgres.timeline import page as page_of_timeline
from schemas.http import Payment, Timeline

JSON: Final = "application/json"

Cursor = Annotated[
    str | None, Query(description="The next_cursor of the previous page. Left out: the first page.")
]

router: Final = APIRouter(tags=["payments"])


@router.get(
    "/v1/payments/{id}",
    summary="Read a payment",
    response_model=Payment,
    responses={
        200: {"description": "The payment.", "headers": {"ETag": ETAG}},
        304: {"description": "The client has this version.", "headers": {"ETag": ETAG}},
        **problems(
            errors.UnauthorizedError,
            errors.UnknownPaymentError,
            errors.DatabaseUnavailableError,
            errors.NotKnownYetError,
        ),
    },
)
async def get_payment(
    request: Request,
    tenant: Tenant,
    payment_id: OwnedPayment,
    wait_s: Wait,
    _documented: Annotated[
        str | None, Header(alias="If-None-Match", description=IF_NONE_MATCH)
    ] = None,
) -> Response:
    """Returns the payment's latest version, with its refunds and disputes.

    A client that prefers to wait gets it once it has left CREATED and PROCESSING.
    """
    context = context_of(request)
    async with waiter_of(context, wait_s, payment_id, None, for_payment=True) as waiter:
        found = await current_payment(context, tenant, payment_id)
        if waiter is not None:
            waiter.note_payment(found)
            if not await is_decided(context, request, waiter, wait_s):
                with suppress(errors.UnavailableError):
                    waiter.note_payment(await current_payment(context, tenant, payment_id))
            found = waiter.payment or found
    return tagged(request, found, applied(waiter, wait_s))


@router.get(
    "/v1/payments/{id}/timeline",
    summary="Read a payment's timeline",
    response_model=Timeline,
    responses={
        200: {"description": "A page of the timeline."},
        **problems(
            errors.UnauthorizedError,
            errors.InvalidCursorError,
            errors.InvalidFieldsError,
            errors.UnknownPaymentError,
            errors.DatabaseUnavailableError,
            errors.NotKnownYetError,
        ),
    },
)
async def get_timeline(
    request: Request,
    tenant: Tenant,
    payment_id: OwnedPayment,
    limit: Annotated[
        int, Query(ge=1, le=100, description="Most entries and calls on a page.")
    ] = 100,
    cursor: Cursor = None,
) -> Response:
    """Returns every command, webhook and call result: its outcome, reason and log position.

    A page has the next entries and calls, oldest first. It is empty while nothing is decided.
    """
    after = None if cursor is None else cursors.decode_timeline(cursor, payment_id)
    context = context_of(request)

    def page() -> Awaitable[History | None]:
        return context.database.run(
            lambda connection: page_of_timeline(connection, payment_id, tenant, after, limit),
            READ_DEADLINE_S,
        )

    history = await page()
    if history is None and isinstance(await undecided(context, tenant, payment_id), str):
        history = await page()
    if history is None:
        history = History(CurrentStatus(Status.CREATED, 0, None, None), (), ())
    return Response(timeline(payment_id, history).model_dump_json(), media_type=JSON)

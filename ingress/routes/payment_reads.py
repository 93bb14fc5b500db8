"""Reads one payment, and its timeline."""

from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from ingress import errors
from ingress.http.etags import ETAG, IF_NONE_MATCH, tagged
from ingress.routes import cursors
from ingress.routes.dependencies import OwnedPayment, Tenant, context_of
from ingress.routes.openapi import problems
from ingress.routes.timeline import timeline
from postgres import reads
from postgres.timeline import page as page_of_timeline
from schemas.http import Payment, Timeline

READ_DEADLINE_S: Final = 3.0
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
            errors.PaymentNotReadyError,
            errors.DatabaseUnavailableError,
        ),
    },
)
async def get_payment(
    request: Request,
    tenant: Tenant,
    payment_id: OwnedPayment,
    _documented: Annotated[
        str | None, Header(alias="If-None-Match", description=IF_NONE_MATCH, examples=['"4"'])
    ] = None,
) -> Response:
    """Returns the payment's latest version, with its refunds and disputes."""
    snapshot = await context_of(request).database.run(
        lambda connection: reads.snapshot(connection, payment_id, tenant), READ_DEADLINE_S
    )
    if snapshot is None:
        raise not_ready()
    return tagged(request, snapshot)


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
            errors.PaymentNotReadyError,
            errors.DatabaseUnavailableError,
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

    A page has the next entries and calls, oldest first.
    """
    after = None if cursor is None else cursors.decode_timeline(cursor, payment_id)
    history = await context_of(request).database.run(
        lambda connection: page_of_timeline(connection, payment_id, tenant, after, limit),
        READ_DEADLINE_S,
    )
    if history is None:
        raise not_ready()
    return Response(timeline(payment_id, history).model_dump_json(), media_type=JSON)


def not_ready() -> errors.PaymentNotReadyError:
    """The problem of a payment that Postgres does not have."""
    return errors.PaymentNotReadyError(
        "A payment that was just accepted may not be processed yet: try again. "
        "Otherwise there is no such payment."
    )

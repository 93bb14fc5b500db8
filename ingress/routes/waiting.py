"""Lets a request wait for a decision, if its client prefers that and there is room."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
from fastapi import Request
from starlette.responses import Response

from ingress.following.waiters import Waiter
from ingress.routes.dependencies import AppContext

#: Says that, and how long, a request would have waited.
APPLIED: Final = "Preference-Applied"


@asynccontextmanager
async def waiter_of(
    context: AppContext,
    wait_s: int | None,
    payment_id: str,
    operation_id: str | None,
    *,
    for_payment: bool,
) -> AsyncIterator[Waiter | None]:
    """Yields a waiter for a client that prefers to wait, if there is one; frees it at the end.

    It notes what is published from now on, so it comes before what it waits for.
    """
    if wait_s is None:
        yield None
        return
    waiter = await context.waits.begin(payment_id, operation_id, for_payment=for_payment)
    if waiter is None:
        context.metrics.following.waits.labels("not_waited").inc()
        yield None
        return
    try:
        yield waiter
    finally:
        context.waits.end(waiter)


async def is_decided(
    context: AppContext, request: Request, waiter: Waiter, wait_s: int | None
) -> bool:
    """Returns whether there was a decision within the time; false at once if the client left."""
    if not waiter.over.done() and await _client_left(request, waiter, wait_s):
        context.metrics.following.waits.labels("left").inc()
        return False
    decided = waiter.over.done() and waiter.over.result()
    context.metrics.following.waits.labels("decided" if decided else "not_decided").inc()
    return decided


async def _client_left(request: Request, waiter: Waiter, wait_s: int | None) -> bool:
    """Returns at the end of the wait, and whether that is because the client left.

    It waits for what the client sends: that it left, as its body is read by then. The end of the
    wait ends that like a timeout, so a waiting request needs no task of its own beside it.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(wait_s) as limit:

            def end(_over: object) -> None:
                with suppress(RuntimeError):  # it has ended already
                    limit.reschedule(loop.time())

            waiter.over.add_done_callback(end)
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return not waiter.over.done()


def applied(waiter: Waiter | None, wait_s: int | None) -> dict[str, str]:
    """Returns the header that says that the client's preference was followed."""
    return {} if waiter is None else {APPLIED: f"wait={wait_s}"}


def answer_of(accepted: str, waiter: Waiter, headers: dict[str, str]) -> Response:
    """Returns the answer with the operation as it was decided; of a create with the payment too.

    Both are passed on as they were published. ``accepted`` is the answer that there was without a
    wait, as JSON text: all that a request that waits has to keep.
    """
    body: dict[str, Any] = msgspec.json.decode(accepted)
    if waiter.operation is not None:
        body["operation"] = msgspec.Raw(waiter.operation.encode())
    if waiter.for_payment:
        known = waiter.payment
        body["status"] = waiter.payment_status
        body["payment"] = None if known is None else msgspec.Raw(known.encode())
    return Response(msgspec.json.encode(body), media_type="application/json", headers=headers)

"""Payments of other applications that use the same account, thousands at once.

They are copies of one payment intent with its events, and no webhooks are sent for them.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.stripe_simulator.api.directory import Directory
from sandbox.stripe_simulator.control.control_http import read_body, with_json_errors
from sandbox.stripe_simulator.storage.store import encode
from sandbox.stripe_simulator.world import World


class Strangers(BaseModel):
    """How many payments, like which one."""

    model_config = ConfigDict(extra="forbid")

    like: str
    payments: Annotated[int, Field(ge=1, le=100_000)]


def strangers_route(directory: Directory) -> Route:
    """The route that adds payments of others."""

    async def add(request: Request) -> JSONResponse:
        body = await read_body(request, Strangers)
        world = directory.named(request).world
        with world.store.transaction():
            _add(world, body.like, body.payments)
        return JSONResponse({"payments": body.payments})

    return Route("/_control/strangers", with_json_errors(add), methods=["POST"])


def _add(world: World, like: str, payments: int) -> None:
    store, first = world.store, world.store.count("strangers", payments) - payments
    intent = {**world.require("payment_intent", like, param="like"), "metadata": {}}
    text = encode(intent)
    ids = [f"pi_3{number:023d}" for number in range(first, first + payments)]
    store.run_many(
        "insert into objects (kind, id, created, payment_intent, charge, body)"
        " values ('payment_intent', ?, ?, ?, null, ?)",
        [(each, intent["created"], each, text.replace(like, each)) for each in ids],
    )
    events = store.rows(
        "select id, type, created, body, listed_in from events where object_id = ?", (like,)
    )
    for position, (event_id, kind, created, body, listed_in) in enumerate(events):
        rows = []
        for each in ids:
            name = f"evt_{position}{each}"
            text = body.replace(event_id, name).replace(like, each)
            rows.append((name, kind, created, each, each, text, listed_in))
        store.run_many(
            "insert into events (id, type, created, object_id, payment_intent, body, listed_in)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            rows,
        )

"""Loses events, and reports each with a thin event when the failure is over."""

from datetime import UTC, datetime
from typing import Annotated, Final

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, HttpUrl
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.stripe_simulator.api.directory import Directory
from sandbox.stripe_simulator.control.control_http import read_body, with_json_errors
from sandbox.stripe_simulator.lost_events import TYPE, LostEvent, LostEvents
from sandbox.stripe_simulator.storage.store import encode
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.webhooks.signing import signature_header
from sandbox.stripe_simulator.world import World

_TIMEOUT_S: Final = 10.0


class Report(BaseModel):
    """Where the thin events go, how they are signed, and how often each is sent."""

    model_config = ConfigDict(extra="forbid")

    url: HttpUrl
    secret: Annotated[str, Field(min_length=1)]
    times: Annotated[int, Field(ge=1, le=10)] = 1


def lost_event_routes(directory: Directory) -> list[Route]:
    """The routes that lose events and report them."""

    async def begin(request: Request) -> JSONResponse:
        LostEvents(directory.named(request).world.store).begin()
        return JSONResponse({"losing": True})

    async def report(request: Request) -> JSONResponse:
        body = await read_body(request, Report)
        world, events = directory.named(request).world, []
        lost = LostEvents(world.store)
        with world.store.transaction():
            for each in lost.end():
                events.append(_content(world, each))
                lost.keep_thin(events[-1])
        statuses = [await _send(world, event, body) for event in events for _ in range(body.times)]
        return JSONResponse({"events": events, "statuses": statuses})

    return [
        Route("/_control/lost_events/begin", with_json_errors(begin), methods=["POST"]),
        Route("/_control/lost_events/report", with_json_errors(report), methods=["POST"]),
    ]


def _content(world: World, lost: LostEvent) -> JsonObject:
    """A thin event with its content."""
    ordinal = world.store.count("thin_events")
    event_id = world.chance.object_id("evt_6", "thin", ordinal)
    now = datetime.fromtimestamp(world.clock.now(), UTC).isoformat(timespec="milliseconds")
    at = now.replace("+00:00", "Z")
    about = {
        "id": lost.object_id,
        "type": lost.object_type,
        "url": f"https://dashboard.stripe.com/{lost.object_type}s/{lost.object_id}",
    }
    return {
        "id": event_id,
        "object": "v2.core.event",
        "type": TYPE,
        "livemode": world.account.is_live,
        "created": at,
        "context": None,
        "reason": None,
        "data": {
            "alert_id": f"halert_{event_id[4:]}",
            "grouping_key": f"_grouping_{event_id[4:]}",
            "impact": {"event_type": lost.type, "related_object": about},
            "resolved_at": at,
            "summary": "We have failed to create a notification for your Stripe account.",
        },
    }


async def _send(world: World, event: JsonObject, to: Report) -> int | None:
    """Deliver a thin event, without its content. Returns the status; None: there was no answer."""
    body = encode({name: value for name, value in event.items() if name != "data"}).encode()
    signed = signature_header(body, to.secret, int(world.clock.wall()))
    headers = {"Stripe-Signature": signed, "Content-Type": "application/json; charset=utf-8"}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(str(to.url), data=body, headers=headers) as response,
        ):
            return response.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None

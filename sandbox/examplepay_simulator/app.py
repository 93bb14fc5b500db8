"""The simulator as an application: ExamplePay's API, and the control API under ``/_control``."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.examplepay_simulator.store import Json, RefusalError, Store
from sandbox.examplepay_simulator.webhook_delivery import Faults, WebhookDelivery

Endpoint = Callable[[Request], Awaitable[Response]]
_GATEWAY: Final = Response(b"<html>gateway</html>", 504, media_type="text/html")


def now() -> datetime:
    """The current time, UTC."""
    return datetime.now(UTC)


def create_app(
    api_key: str, webhook_url: str, webhook_secret: str, merchant: str, *, trial: bool = True
) -> Starlette:
    """The simulator of one merchant; it sends webhooks while the application runs."""
    faults = Faults()
    webhooks = WebhookDelivery(webhook_url, webhook_secret, now, faults)
    store = Store(now, webhooks.send, merchant, trial=trial)
    api = _Api(store, faults, api_key)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(webhooks.run())
        yield
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    return Starlette(routes=[*api.routes(), *_control(store, webhooks, faults)], lifespan=lifespan)


class _Api:
    """The merchant's API. It needs an API key; an operation key makes a call idempotent."""

    def __init__(self, store: Store, faults: Faults, api_key: str) -> None:
        self._store = store
        self._faults = faults
        self._authorization = f"ApiKey {api_key}"

    def routes(self) -> list[Route]:
        """The merchant's routes."""
        store = self._store
        return [
            self._post("/payments", lambda _, body, key: store.create(body, key)),
            self._post("/payments/{id}/attempts", store.attempt),
            self._post("/payments/{id}/capture", lambda id_, body, _: store.capture(id_, body)),
            self._post("/payments/{id}/void", store.void),
            self._post("/refunds", lambda _, body, __: store.refund(body, requested=True)),
            self._get("/payments/{id}", lambda r: store.get("payment", r.path_params["id"])),
            self._get("/payments", lambda r: self._listed("payment", r)),
            self._get("/refunds", lambda r: self._listed("refund", r)),
            self._get("/chargebacks", lambda r: self._listed("chargeback", r)),
            self._get("/events", self._events),
        ]

    def _post(self, path: str, act: Callable[[str, Json, str], Json]) -> Route:
        async def endpoint(request: Request) -> Response:
            if self._faults.unreachable:
                return _GATEWAY
            key = request.headers["operation-key"]
            call = {"path": request.url.path, "body": await request.json()}
            before, status, response = self._store.responses.get(key, (call, 0, {}))
            if before != call:
                raise RefusalError(409, "operation_key_reused", "It was used for something else.")
            if not status:
                status, response = 200, {}
                try:
                    response = dict(act(request.path_params.get("id", ""), call["body"], key))
                except RefusalError as refusal:
                    status, response = refusal.status, refusal.body
                self._store.responses[key] = (call, status, response)
            return _GATEWAY if self._faults.lose_responses else JSONResponse(response, status)

        return Route(path, _with_json_errors(self._allowed(endpoint)), methods=["POST"])

    def _get(self, path: str, find: Callable[[Request], Json]) -> Route:
        async def endpoint(request: Request) -> Response:
            return _GATEWAY if self._faults.unreachable else JSONResponse(find(request))

        return Route(path, _with_json_errors(self._allowed(endpoint)), methods=["GET"])

    def _allowed(self, endpoint: Endpoint) -> Endpoint:
        async def checked(request: Request) -> Response:
            if request.headers.get("authorization") != self._authorization:
                raise RefusalError(401, "who_are_you", "The API key is not known.")
            return await endpoint(request)

        return checked

    def _listed(self, kind: str, request: Request) -> Json:
        """All objects with a reference, or a page of those of a payment or since a time."""
        asked = request.query_params
        if "reference" in asked:
            return {"items": self._store.with_reference(kind, asked["reference"])}
        since = datetime.fromisoformat(asked["since"]) if "since" in asked else None
        found = self._store.of(kind, asked.get("payment"), since)
        ids = [each["id"] for each in found]
        start = 0
        if "after" in asked:
            if asked["after"] not in ids:
                raise RefusalError(410, "gone", f"There is no such {kind} any more.")
            start = ids.index(asked["after"]) + 1
        end = start + int(asked["limit"])
        return {"items": found[start:end], "more": end < len(found)}

    def _events(self, request: Request) -> Json:
        events, after = self._store.events, request.query_params.get("after")
        since = request.query_params.get("since")
        first = datetime.fromisoformat(since) if since is not None else None
        start = 0
        if first is not None:
            events = [e for e in events if datetime.fromisoformat(e["occurred_at"]) >= first]
        if after is not None:
            ids = [event["id"] for event in events]
            if after not in ids:
                raise RefusalError(410, "gone", "There is no such event any more.")
            start = ids.index(after) + 1
        end = start + int(request.query_params["limit"])
        return {"events": events[start:end], "more": end < len(events)}


def _control(store: Store, webhooks: WebhookDelivery, faults: Faults) -> list[Route]:
    """Routes by which a test or a user acts as the customer, the bank or the network."""

    def reset() -> Json:
        store.clear()
        return switch()

    def switch(**switched: bool) -> Json:
        vars(faults).update(asdict(Faults(**switched)))
        return asdict(faults)

    actions: dict[str, Callable[..., Json]] = {
        "go_on": store.go_on,
        "capture": lambda payment_id, **body: store.capture(payment_id, body, requested=False),
        "refund": lambda **body: store.refund(body, requested=False),
        "bounce": store.bounce,
        "charge_back": store.charge_back,
        "decide": store.decide,
        "emit": store.emit,
        "faults": switch,
        "reset": reset,
    }

    async def act(request: Request) -> Response:
        arguments: dict[str, Any] = json.loads(await request.body() or b"{}")
        return JSONResponse(actions[request.path_params["action"]](**arguments))

    async def objects(_: Request) -> Response:
        found = {kind: list(by_id.values()) for kind, by_id in store.objects.items()}
        return JSONResponse({**found, "undelivered": webhooks.undelivered})

    return [
        Route("/_control/objects", objects, methods=["GET"]),
        Route("/_control/{action}", _with_json_errors(act), methods=["POST"]),
    ]


def _with_json_errors(endpoint: Endpoint) -> Endpoint:
    """Wrap an endpoint so that its refusals become JSON responses."""

    async def wrapped(request: Request) -> Response:
        try:
            return await endpoint(request)
        except RefusalError as refusal:
            return JSONResponse(refusal.body, refusal.status)

    return wrapped

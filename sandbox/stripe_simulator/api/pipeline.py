"""The path of every API call, from its key to its response.

::

    authenticate ─▶ 429 · 500 · reset ─▶ replayable?  ─▶ slow ─▶ execute in a transaction ─▶ early
                                              │                                            │
                       response ◀─ reset · timeout ◀───────────────────────────────────────┘
"""

import asyncio
import logging
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.stripe_simulator.api.connection import reset_connection, wait_for_disconnect
from sandbox.stripe_simulator.api.directory import Grant, Resident
from sandbox.stripe_simulator.api.expand import expand
from sandbox.stripe_simulator.api.forms import decode_form
from sandbox.stripe_simulator.api.idempotency import IdempotencyKeys, StoredResponse, Use
from sandbox.stripe_simulator.api.operations import Operation
from sandbox.stripe_simulator.errors import ApiError, RateLimitError, ServerError
from sandbox.stripe_simulator.events import Cause, Due
from sandbox.stripe_simulator.faults import RequestPlan, plan_request
from sandbox.stripe_simulator.params import Params
from sandbox.stripe_simulator.storage.store import encode
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import Call, World

_LOG = logging.getLogger("stripe_simulator")
_BROKEN = "An unknown error occurred."
_RETRY = {"Stripe-Should-Retry": "true"}
_NO_RETRY = {"Stripe-Should-Retry": "false"}


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A response, and the deliveries it releases."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    due: list[Due] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request: its content, its planned faults, its ID, and its grant or refusal."""

    request: Request
    form: str
    key: str | None
    identity: str
    request_id: str
    plan: RequestPlan
    access: Grant | ApiError


class Pipeline:
    """Executes the API calls of one account.

    Args:
        resident: the account; its sender gets the deliveries that a call caused.
        keys: its idempotency keys.
    """

    def __init__(self, resident: Resident, keys: IdempotencyKeys) -> None:
        self.world: World = resident.world
        self._limit = resident.limit
        self._keys = keys
        self._sender = resident.sender

    async def serve(
        self, operation: Operation, access: Grant | ApiError, scope: Scope, receive: Receive,
        send: Send,
    ) -> None:  # fmt: skip
        """Serve one call, with the faults of its plan, or refuse it."""
        request = Request(scope, receive)
        form = (await request.body()).decode("utf-8", "replace")
        exchange = self._exchange(operation, request, form, access)
        plan = exchange.plan
        if plan.reset_before:
            self._count_fault("reset_before")
            await reset_connection(scope, receive)
            return
        response = await self._respond(operation, exchange)
        if plan.reset_after or plan.timeout_after:
            self._sender.release(response.due)
            self._count_fault("reset_after" if plan.reset_after else "timeout_after")
            if not plan.reset_after:
                hold_s = self.world.faults.current.timeout_hold_s
                await wait_for_disconnect(receive, hold_s)
            await reset_connection(scope, receive)
            return
        await self._http_response(exchange, response)(scope, receive, send)
        self._sender.release(response.due)

    def _exchange(
        self, operation: Operation, request: Request, form: str, access: Grant | ApiError
    ) -> Exchange:
        writes = operation.method == "POST"
        key = request.headers.get("idempotency-key") if writes else None
        path = request.url.path
        identity = f"{operation.method} {key or f'{path}?{request.url.query}{form}'}"
        # Attempts are counted even without faults, because IDs are derived from them.
        attempt = self.world.store.count(f"attempt:{identity}")
        request_id = self.world.chance.object_id("req_", identity, attempt, length=14)
        plan = plan_request(
            self.world.faults.current, self.world.chance, identity, attempt, writes=writes
        )
        return Exchange(request, form, key, identity, request_id, plan, access)

    async def _respond(self, operation: Operation, exchange: Exchange) -> ApiResponse:
        try:
            self._admit(operation, exchange.access)
            if exchange.plan.rate_limit_429:
                self._count_fault("rate_limit_429")
                return _refusal(RateLimitError())
            if exchange.plan.error_500_before:
                self._count_fault("error_500_before")
                return ApiResponse(500, encode(ServerError(_BROKEN).body()), _RETRY)
            return await self._once(operation, exchange)
        except ApiError as error:
            return _refusal(error)
        except Exception:  # noqa: BLE001 - any bug is the 500 that a client would see, and is logged
            _LOG.exception("operation.crashed", extra={"operation": operation.name})
            return ApiResponse(500, encode(ServerError(_BROKEN).body()), _RETRY)

    def _admit(self, operation: Operation, access: Grant | ApiError) -> None:
        """Raises the error of a request that is refused, or of one too many."""
        if isinstance(access, ApiError):
            raise access
        try:
            self._limit.take(operation.name)
        except RateLimitError as error:
            self.world.store.count(f"stat:rate_limited.{error.reason}")
            raise

    async def _once(self, operation: Operation, exchange: Exchange) -> ApiResponse:
        text = exchange.form if operation.method == "POST" else exchange.request.url.query
        form = decode_form(text)
        if operation.method != "POST":
            return self._read(operation, exchange, form)
        use = None
        if exchange.key is not None:
            found = self._keys.look_up(exchange.key, exchange.request.url.path, form)
            if isinstance(found, StoredResponse):
                self.world.store.count("stat:idempotent_replays")
                return ApiResponse(
                    found.status,
                    found.body,
                    {"Idempotent-Replayed": "true", "Original-Request": found.request_id},
                )
            use = found
        plan = exchange.plan
        with self._keys.in_use(use):
            if plan.slow_s:
                self._count_fault("slow")
                await asyncio.sleep(plan.slow_s)
            response = self._execute(operation, exchange, form, use)
            if plan.early and response.due:
                self._count_fault("early")
                self._sender.release(response.due)
                await self._sender.attempted(response.due)
                await asyncio.sleep(plan.early_hold_s)
                response = ApiResponse(response.status, response.body, response.headers)
        return response

    def _read(self, operation: Operation, exchange: Exchange, form: JsonObject) -> ApiResponse:
        call = self._call(operation, exchange, form, None)
        body = operation.run(self.world, call)
        body = expand(self.world.store, body, call.params.texts("expand"))
        return ApiResponse(200, encode(body))

    def _execute(
        self, operation: Operation, exchange: Exchange, form: JsonObject, use: Use | None
    ) -> ApiResponse:
        store = self.world.store
        call = self._call(operation, exchange, form, use)
        wanted = call.params.texts("expand")
        status, headers = 200, {}
        self.world.journal.take_due()  # a refused call's planned deliveries were rolled back
        with store.transaction():
            try:
                body = encode(expand(store, operation.run(self.world, call), wanted))
            except ApiError as error:
                if not error.stored:
                    raise  # nothing was executed: nothing is written
                status, body = error.status, encode(error.body())
            if exchange.plan.error_500_after:
                store.count("stat:fault.error_500_after")
                status, body, headers = 500, encode(ServerError(_BROKEN).body()), _NO_RETRY
            if use is not None:
                self._keys.keep(use, status, body, exchange.request_id)
            self._note_execution(operation, exchange, call, use, status)
        return ApiResponse(status, body, headers, self.world.journal.take_due())

    def _call(
        self, operation: Operation, exchange: Exchange, form: JsonObject, use: Use | None
    ) -> Call:
        identity = f"{exchange.identity}#{use.generation}" if use else exchange.request_id
        version = self._version(exchange)
        cause = Cause(identity, exchange.request_id, exchange.key, version)
        path, access = exchange.request.path_params, exchange.access
        is_platforms = isinstance(access, Grant) and access.is_platforms
        return Call(Params(form, operation.known), path, cause, is_platforms)

    def _version(self, exchange: Exchange) -> str:
        account = self.world.journal.account_version
        return exchange.request.headers.get("stripe-version", account)

    def _note_execution(
        self,
        operation: Operation,
        exchange: Exchange,
        call: Call,
        use: Use | None,
        status: int,
    ) -> None:
        world = self.world
        world.store.run(
            "insert into executions (operation, path, idempotency_key, generation, request_id,"
            " status, created, metadata, objects) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                operation.name,
                exchange.request.url.path,
                exchange.key,
                use.generation if use else None,
                exchange.request_id,
                status,
                world.clock.now(),
                encode(call.params.hash("metadata")),
                encode(world.store.created),
            ),
        )

    def _http_response(self, exchange: Exchange, response: ApiResponse) -> Response:
        headers = {
            "Date": self.world.clock.http_date(),
            "Request-Id": exchange.request_id,
            "Stripe-Version": self._version(exchange),
            **({"Idempotency-Key": exchange.key} if exchange.key else {}),
            **response.headers,
        }
        return Response(response.body, response.status, headers, media_type="application/json")

    def _count_fault(self, fault: str) -> None:
        self.world.store.count(f"stat:fault.{fault}")


def _refusal(error: ApiError) -> ApiResponse:
    return ApiResponse(error.status, encode(error.body()), dict(error.headers))

"""The simulator's state for tests: statistics, objects, executions, faults, reset."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sandbox.stripe_simulator.api.directory import Directory, Resident
from sandbox.stripe_simulator.api.webhook_endpoints import install_preset
from sandbox.stripe_simulator.control.control_http import with_json_errors
from sandbox.stripe_simulator.errors import ParameterError
from sandbox.stripe_simulator.faults import Faults, parse_faults
from sandbox.stripe_simulator.storage.store import Store
from sandbox.stripe_simulator.storage.types import JsonObject

_CHUNK = 500
_STATISTICS = "stat:"
_EXECUTION = """
select seq, json_object(
    'operation', operation, 'path', path, 'idempotency_key', idempotency_key,
    'generation', generation, 'request_id', request_id, 'status', status, 'created', created,
    'metadata', json(metadata), 'objects', json(objects)) from executions"""
_GROUND_TRUTH = {
    "payment_intents": "payment_intent",
    "charges": "charge",
    "refunds": "refund",
    "disputes": "dispute",
    "early_fraud_warnings": "radar.early_fraud_warning",
}


def inspection_routes(directory: Directory) -> list[Route]:
    """The routes under ``/_control`` that inspect, set faults or reset.

    ``?account=acct_x`` names another account than the default one. Faults and reset are all's.
    """
    shared = directory.default.world

    async def accounts(_: Request) -> Response:
        return JSONResponse({"accounts": [_described(each) for each in directory.all]})

    async def stats(request: Request) -> Response:
        resident = directory.named(request)
        resident.sender.flush()
        return JSONResponse(
            {
                **statistics(resident.world.store),
                "most_requests_in_a_second": resident.limit.most_in_a_second,
            }
        )

    async def read_faults(_: Request) -> Response:
        return JSONResponse(shared.faults.current.model_dump())

    async def switch_faults(request: Request) -> Response:
        try:
            given = parse_faults_body((await request.body()).decode())
        except (ValueError, RecursionError) as error:  # no preset, no JSON, no UTF-8, or too deep
            raise ParameterError(str(error)) from error
        faults = Faults.model_validate(given)
        shared.faults.set(faults)
        return JSONResponse(faults.model_dump())

    async def objects(request: Request) -> Response:
        store = directory.named(request).world.store
        return StreamingResponse(_objects(store), media_type="application/json")

    async def executions(request: Request) -> Response:
        wanted = request.query_params.get("idempotency_key")
        store = directory.named(request).world.store
        return StreamingResponse(_executions(store, wanted), media_type="application/json")

    async def reset(_: Request) -> Response:
        shared.clock.reset()
        shared.faults.set(shared.settings.faults)
        for each in directory.all:
            each.sender.clear()
            each.limit.forget()
            each.world.store.clear()
            install_preset(each.world)
        return JSONResponse({"reset": True})

    return [
        Route("/_control/accounts", with_json_errors(accounts)),
        Route("/_control/stats", with_json_errors(stats)),
        Route("/_control/faults", with_json_errors(read_faults), methods=["GET"]),
        Route("/_control/faults", with_json_errors(switch_faults), methods=["PUT"]),
        Route("/_control/objects", with_json_errors(objects)),
        Route("/_control/executions", with_json_errors(executions)),
        Route("/_control/reset", with_json_errors(reset), methods=["POST"]),
    ]


def _described(resident: Resident) -> JsonObject:
    account = resident.account
    url = None if account.webhook_url is None else str(account.webhook_url)
    return {
        "id": account.id,
        "mode": account.mode,
        "webhook_url": url,
        "connected": account.connected,
    }


def statistics(store: Store) -> JsonObject:
    """All counters, and the number of pending deliveries."""
    counts = {
        name.removeprefix(_STATISTICS): value
        for name, value in store.rows(
            "select name, value from counters where name like 'stat:%' order by name"
        )
    }
    faults = {
        name.removeprefix("fault."): value
        for name, value in counts.items()
        if name.startswith("fault.")
    }
    (pending,) = store.row("select count(*) from deliveries where state = 'pending'")
    (undelivered,) = store.row(
        "select count(*) from deliveries where kind = 'first' and state in ('pending', 'given_up')"
    )
    kinds = store.rows("select kind, count(*) from objects group by kind order by kind")
    others = {name: value for name, value in counts.items() if not name.startswith("fault.")}
    return {
        "faults": faults,
        "counts": others,
        "pending_deliveries": pending,
        "undelivered_events": undelivered,
        "objects": dict(kinds),
    }


def parse_faults_body(text: str) -> Any:
    """Parse a setting of faults: JSON, a preset's bare name, or its name as a JSON string."""
    parsed = parse_faults(text)
    return parse_faults(parsed) if isinstance(parsed, str) else parsed


async def _objects(store: Store) -> AsyncIterator[str]:
    yield "{"
    for position, (name, kind) in enumerate(_GROUND_TRUTH.items()):
        yield f'{"," if position else ""}"{name}":'
        query = "select seq, body from objects where kind = ? and seq > ? order by seq limit ?"
        async for part in _array(store, query, (kind,)):
            yield part
    yield "}"


async def _executions(store: Store, idempotency_key: str | None) -> AsyncIterator[str]:
    only = "true" if idempotency_key is None else "idempotency_key = ?"
    query = f"{_EXECUTION} where {only} and seq > ? order by seq limit ?"
    yield '{"executions":'
    values = () if idempotency_key is None else (idempotency_key,)
    async for part in _array(store, query, values):
        yield part
    yield "}"


async def _array(store: Store, query: str, values: tuple[str, ...]) -> AsyncIterator[str]:
    """Stream a query's rows as a JSON array, in chunks, to let other tasks run between."""
    yield "["
    seq, separator = 0, ""
    while rows := store.rows(query, (*values, seq, _CHUNK)):
        yield separator + ",".join(body for _, body in rows)
        seq, separator = rows[-1][0], ","
    yield "]"

"""Health checks and metrics, for operators and orchestrators."""

import asyncio
from typing import Final

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from ingress.database import Database
from ingress.errors import DatabaseUnavailableError
from ingress.routes.dependencies import context_of
from postgres import reads
from runtime.logs import get_logger
from schemas.http import Health, Readiness

PROBE_DEADLINE_S: Final = 1.0
OK: Final = "ok"
#: The endpoint needs no key, and the reason may name hosts: only the log has it.
UNAVAILABLE: Final = "unavailable"

_METRICS: Final = {
    "title": "Metrics",
    "type": "string",
    "description": "Prometheus' text format.",
}
_log: Final = get_logger(__name__)

router: Final = APIRouter(tags=["health"])


@router.get(
    "/healthz",
    summary="Ask whether the process runs",
    response_model=Health,
    responses={200: {"description": "The process runs."}},
)
async def healthz() -> Response:
    """Answers 200 whenever the process runs. Checks nothing else."""
    return JSONResponse({"status": OK})


@router.get(
    "/readyz",
    summary="Ask whether requests are accepted",
    response_model=Readiness,
    responses={
        200: {"description": "Requests are accepted."},
        503: {"description": "Kafka does not answer.", "model": Readiness},
    },
)
async def readyz(request: Request) -> Response:
    """Answers 200 if requests can be accepted, which needs Kafka. Postgres is only reported."""
    context = context_of(request)
    kafka_error, database_error = await asyncio.gather(
        context.publisher.unavailable_reason(), _database_error(context.database)
    )
    ready = kafka_error is None
    if not ready:
        _log.warning("ingress.not_ready", kafka=kafka_error, postgres=database_error or OK)
    return JSONResponse(
        {
            "status": OK if ready else "not ready",
            "kafka": OK if ready else UNAVAILABLE,
            "postgres": OK if database_error is None else UNAVAILABLE,
        },
        status_code=200 if ready else 503,
    )


async def _database_error(database: Database) -> str | None:
    """Returns why the database can't be read, or None if it can."""
    try:
        await database.run(reads.alive, PROBE_DEADLINE_S)
    except DatabaseUnavailableError as error:
        return error.reason
    return None


@router.get(
    "/metrics",
    summary="Read the metrics",
    response_class=Response,
    response_model=None,
    responses={
        200: {
            "description": "Every metric, with a help text that says its unit.",
            "content": {"text/plain": {"schema": _METRICS}},
        }
    },
)
async def metrics(request: Request) -> Response:
    """Returns the metrics in Prometheus' text format."""
    content = context_of(request).metrics.exposition()
    return Response(content, headers={"Content-Type": CONTENT_TYPE_LATEST})

"""What operators and their machines ask: alive, ready, metrics."""

import asyncio
from typing import Final

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from ingress.database import Database
from ingress.dependencies import parts_of
from ingress.errors import DatabaseUnavailableError
from processor.store import reads

PROBE_DEADLINE_S: Final = 1.0
OK: Final = "ok"

router: Final = APIRouter(tags=["operations"])


@router.get("/healthz", response_model=dict[str, str])
async def healthz() -> Response:
    """The process answers. Nothing else is asked."""
    return JSONResponse({"status": OK})


@router.get("/readyz", response_model=dict[str, str], responses={503: {"description": "Not ready"}})
async def readyz(request: Request) -> Response:
    """Whether requests can be accepted, which takes Kafka. Postgres is told, but not needed."""
    parts = parts_of(request)
    missing, postgres = await asyncio.gather(parts.publisher.missing(), _postgres(parts.database))
    ready = missing is None
    return JSONResponse(
        {"status": OK if ready else "not ready", "kafka": missing or OK, "postgres": postgres},
        status_code=200 if ready else 503,
    )


async def _postgres(database: Database) -> str:
    try:
        await database.run(reads.alive, PROBE_DEADLINE_S)
    except DatabaseUnavailableError as error:
        return error.reason
    return OK


@router.get("/metrics", response_class=Response, response_model=None)
async def metrics(request: Request) -> Response:
    """Metrics in Prometheus' text format."""
    content = parts_of(request).metrics.exposition()
    return Response(content, headers={"Content-Type": CONTENT_TYPE_LATEST})

"""What operators and their machines ask: alive, ready, metrics."""

import asyncio
from typing import Final

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from ingress.database import Database
from ingress.errors import DatabaseUnavailableError
from ingress.routes.dependencies import parts_of
from postgres import reads
from runtime.logs import get_logger

PROBE_DEADLINE_S: Final = 1.0
OK: Final = "ok"
#: Anybody may ask, so the reason, which may name hosts, is in the log alone.
UNAVAILABLE: Final = "unavailable"

_log: Final = get_logger(__name__)

router: Final = APIRouter(tags=["operations"])


@router.get("/healthz", response_model=dict[str, str])
async def healthz() -> Response:
    """The process answers. Nothing else is asked."""
    return JSONResponse({"status": OK})


@router.get("/readyz", response_model=dict[str, str], responses={503: {"description": "Not ready"}})
async def readyz(request: Request) -> Response:
    """Whether requests can be accepted, which takes Kafka. Postgres is shown, but not needed."""
    parts = parts_of(request)
    missing, silent = await asyncio.gather(parts.publisher.missing(), _silent(parts.database))
    ready = missing is None
    if not ready:
        _log.warning("ingress.not_ready", kafka=missing, postgres=silent or OK)
    return JSONResponse(
        {
            "status": OK if ready else "not ready",
            "kafka": OK if ready else UNAVAILABLE,
            "postgres": OK if silent is None else UNAVAILABLE,
        },
        status_code=200 if ready else 503,
    )


async def _silent(database: Database) -> str | None:
    """Why the database can't be read; None where it can."""
    try:
        await database.run(reads.alive, PROBE_DEADLINE_S)
    except DatabaseUnavailableError as error:
        return error.reason
    return None


@router.get("/metrics", response_class=Response, response_model=None)
async def metrics(request: Request) -> Response:
    """Metrics in Prometheus' text format."""
    content = parts_of(request).metrics.exposition()
    return Response(content, headers={"Content-Type": CONTENT_TYPE_LATEST})

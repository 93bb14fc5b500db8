"""Assembles the application. It opens nothing before its lifespan begins."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from fastapi import FastAPI

from ingress.command_service import CommandService, PostgresOperationLookup
from ingress.database import Database
from ingress.http import problems
from ingress.http.connections import STATE_KEY, Connections
from ingress.http.middleware import RequestMiddleware
from ingress.idempotency import RecentOperations
from ingress.metrics import Metrics
from ingress.publisher import Publisher
from ingress.routes import documentation, health, payment_commands, payment_reads
from ingress.routes.dependencies import AppContext, Clock
from ingress.routes.openapi import DESCRIPTION, document
from ingress.routes.webhooks import ROUTE as WEBHOOKS
from ports.provider import WebhookReader
from schemas.settings import IngressSettings

VERSION = "1"


def create_app(
    settings: IngressSettings,
    *,
    readers: Mapping[str, WebhookReader],
    publisher: Publisher,
    database: Database,
    metrics: Metrics,
    clock: Clock,
    resources: Sequence[AbstractAsyncContextManager[Any]] = (),
    connections: Connections | None = None,
) -> FastAPI:
    """Returns the application.

    Args:
        settings: limits, API keys and defaults.
        readers: the webhook reader of each provider, by name.
        publisher: where webhooks and commands are published.
        database: for reads and for the look-up of operations.
        metrics: what is counted.
        clock: returns the current time, aware UTC.
        resources: entered at start-up, and left in reverse order at shutdown.
        connections: passed to the server's protocol through the state of the lifespan.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        make_document()
        async with AsyncExitStack() as stack:
            for resource in resources:
                await stack.enter_async_context(resource)
            if connections is None:
                yield {}
            else:
                yield {STATE_KEY: await stack.enter_async_context(connections)}

    app = FastAPI(
        title="Payments",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        # FastAPI would read the environment at every request. /metrics has these figures.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.context = _context(settings, readers, publisher, database, metrics, clock)
    # First, because routes are tried in order and this is the busiest one.
    app.router.routes.insert(0, WEBHOOKS)
    for router in (payment_commands.router, payment_reads.router, health.router):
        app.include_router(router)
    documented, make_document = documentation.routes(lambda: document(app))
    app.router.routes.extend(documented)
    problems.install(app, metrics)
    app.add_middleware(RequestMiddleware, metrics=metrics)
    return app


def _context(
    settings: IngressSettings,
    readers: Mapping[str, WebhookReader],
    publisher: Publisher,
    database: Database,
    metrics: Metrics,
    clock: Clock,
) -> AppContext:
    """What the routes need."""
    lookup = PostgresOperationLookup(database, metrics)
    return AppContext(
        tenants=settings.api_keys,
        readers=readers,
        publisher=publisher,
        command_service=CommandService(publisher, RecentOperations(), lookup, metrics),
        database=database,
        metrics=metrics,
        clock=clock,
        body_limit_bytes=settings.body_limit_bytes,
        default_provider=settings.default_provider,
        payment_expiry=timedelta(seconds=settings.payment_expiry_s),
    )

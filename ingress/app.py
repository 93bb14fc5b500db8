"""Assembles the application. It opens nothing before its lifespan begins."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import Depends, FastAPI

from ingress.accounts import Providers
from ingress.command_service import CommandService, PostgresOperationLookup
from ingress.database import Database
from ingress.documents import asyncapi
from ingress.following.accepted import AcceptedCommands
from ingress.following.changes import Waits
from ingress.http import problems
from ingress.http.connections import STATE_KEY, Connections
from ingress.http.middleware import RequestMiddleware
from ingress.idempotency import RecentOperations
from ingress.metrics import Metrics
from ingress.publisher import Publisher
from ingress.routes import (
    client_secret,
    documentation,
    examples,
    health,
    operations,
    payment_commands,
    payment_list,
    payment_reads,
)
from ingress.routes.dependencies import AppContext, Clock, known_query
from ingress.routes.openapi import DESCRIPTION, document
from ingress.routes.webhooks import ROUTES as WEBHOOKS
from ports.provider import ClientSecretReader
from schemas.settings import IngressSettings

VERSION = "1"


@dataclass(frozen=True, slots=True)
class Followed:
    """What the application knows by following topics."""

    accepted: AcceptedCommands
    waits: Waits


def create_app(
    settings: IngressSettings,
    *,
    providers: Providers,
    publisher: Publisher,
    database: Database,
    followed: Followed,
    metrics: Metrics,
    clock: Clock,
    resources: Sequence[AbstractAsyncContextManager[Any]] = (),
    connections: Connections | None = None,
) -> FastAPI:
    """Returns the application.

    Args:
        settings: limits, API keys and defaults.
        providers: what it needs of the provider accounts.
        publisher: where webhooks and commands are published.
        database: for reads and for the look-up of operations.
        followed: what the log has and the store may not, and what wakes waiting requests.
        metrics: what is counted.
        clock: returns the current time, aware UTC.
        resources: entered at start-up, and left in reverse order at shutdown.
        connections: passed to the server's protocol through the state of the lifespan.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        make_document()
        async with _opened(providers.client_secrets.values(), resources, connections) as state:
            yield state

    app = FastAPI(
        title="Payments",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,
        redirect_slashes=False,
        # clients are generated from the document: a name must not follow from the path
        generate_unique_id_function=lambda route: route.name,
        # FastAPI would read the environment at every request. /metrics has these figures.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.context = _context(settings, providers, publisher, database, followed, metrics, clock)
    make_document = _add_routes(app)
    problems.install(app, metrics)
    app.add_middleware(RequestMiddleware, metrics=metrics)
    return app


@asynccontextmanager
async def _opened(
    readers: Iterable[ClientSecretReader],
    resources: Sequence[AbstractAsyncContextManager[Any]],
    connections: Connections | None,
) -> AsyncIterator[dict[str, Any]]:
    """Enters the resources and yields the state of the lifespan; closes the readers at the end."""
    async with AsyncExitStack() as stack:
        for reader in readers:
            stack.push_async_callback(reader.close)
        for resource in resources:
            await stack.enter_async_context(resource)
        if connections is None:
            yield {}
        else:
            yield {STATE_KEY: await stack.enter_async_context(connections)}


def _add_routes(app: FastAPI) -> Callable[[], object]:
    """Adds every route. Returns the function that makes the documents."""
    # First, because routes are tried in order and these are the busiest.
    app.router.routes[:0] = WEBHOOKS
    for module in (payment_commands, payment_list, payment_reads, operations, client_secret):
        app.include_router(module.router, dependencies=[Depends(known_query)])
    app.include_router(health.router)
    documented, make_document = documentation.routes(
        lambda: document(app), lambda: asyncapi.document(VERSION, examples.messages())
    )
    app.router.routes.extend(documented)
    return make_document


def _context(
    settings: IngressSettings,
    providers: Providers,
    publisher: Publisher,
    database: Database,
    followed: Followed,
    metrics: Metrics,
    clock: Clock,
) -> AppContext:
    """What the routes need."""
    lookup = PostgresOperationLookup(database, metrics)
    return AppContext(
        tenants=settings.api_keys,
        accounts=providers.choice,
        readers=providers.readers,
        notices=providers.notices,
        money_rules=providers.money_rules,
        client_secrets=providers.client_secrets,
        publisher=publisher,
        command_service=CommandService(publisher, RecentOperations(), lookup, metrics),
        accepted=followed.accepted,
        waits=followed.waits,
        database=database,
        metrics=metrics,
        clock=clock,
        body_limit_bytes=settings.body_limit_bytes,
        payment_expiry=timedelta(seconds=settings.payment_expiry_s),
    )

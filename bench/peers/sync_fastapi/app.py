"""``POST /webhooks/stripe``: verified, processed in one transaction, then 200."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request
from starlette.responses import Response

from bench.peers.sync_fastapi.transaction import UnknownPaymentError, process
from domain.inputs import Input
from ports.provider import MalformedWebhookError, SignatureError, Translator, WebhookReader
from schemas.settings import DatabaseSettings

#: On two cores fewer were slower, and more were not faster.
CONNECTIONS: Final = 24
RECEIVED: Final = b'{"received":true}'


def create_app(
    database: DatabaseSettings, reader: WebhookReader, translator: Translator
) -> FastAPI:
    """The whole program."""
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        database.database_url.get_secret_value(),
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        kwargs={"autocommit": True, "prepare_threshold": 1},
        open=False,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with pool:
            await pool.wait()
            yield

    async def receive(request: Request) -> Response:
        body = await request.body()
        try:
            webhook = reader.verify(body, request.headers)
            translated = translator.translate(body)
        except (SignatureError, MalformedWebhookError) as error:
            return Response(str(error), 400)
        if webhook.payment_id is None:
            return Response("the event names no payment", 422)
        input_ = Input(webhook.event_id, datetime.now(UTC), translated.fact)
        try:
            async with pool.connection() as connection:
                await process(connection, webhook.payment_id, f"stripe.{translated.kind}", input_)
        except UnknownPaymentError as error:
            return Response(str(error), 503)  # the sender repeats it
        return Response(RECEIVED, media_type="application/json")

    async def ready(_request: Request) -> Response:
        return Response(b"ok\n")

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    # Plain routes: FastAPI's dependencies would only cost time here.
    app.add_route("/webhooks/stripe", receive, methods=["POST"])
    app.add_route("/readyz", ready)
    return app

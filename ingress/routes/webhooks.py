"""``POST /webhooks/{provider}``: verified, published as it came, answered 200.

The busiest path: a plain Starlette route without FastAPI's dependencies, no pydantic, no Postgres.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope
from structlog.contextvars import bind_contextvars

from ingress.errors import (
    BodyTooLargeError,
    InvalidSignatureError,
    MalformedEventError,
    UnknownProviderError,
    UnsupportedMediaTypeError,
)
from ingress.http.body import read_body
from ingress.http.json_body import refuse_encoded
from ingress.publisher import Record
from ingress.routes.dependencies import Parts, parts_of
from ports.provider import MalformedWebhookError, SignatureError, Webhook, WebhookReader
from schemas import headers
from schemas.identity import is_payment_id
from schemas.topics import PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED

PATH: Final = "/webhooks/{provider}"
_REFUSALS: Final = (
    InvalidSignatureError,
    MalformedEventError,
    BodyTooLargeError,
    UnsupportedMediaTypeError,
)
_RECEIVED: Final = b'{"received":true}'


class WebhookRoute(Route):
    """A route that says it was taken: plain ones don't, and metrics go by the route."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As ``Route``, and names itself."""
        match, taken = super().matches(scope)
        return match, taken if match is Match.NONE else {**taken, "route": self}


async def receive_webhook(request: Request) -> Response:
    """Takes in one webhook; refused ones are counted and stored nowhere."""
    parts = parts_of(request)
    provider = request.path_params["provider"]
    reader = parts.readers.get(provider)
    if reader is None:
        raise UnknownProviderError("No provider of this name sends webhooks here.")
    try:
        refuse_encoded(request.headers)
        body = await read_body(request, parts.body_limit)
        webhook = _verified(reader, body, request)
        await parts.publisher.publish(_record(webhook, body, provider, parts))
    except _REFUSALS as error:
        parts.metrics.rejected_webhooks.labels(provider, error.slug).inc()
        raise
    return Response(_RECEIVED, media_type="application/json")


def _verified(reader: WebhookReader, body: bytes, request: Request) -> Webhook:
    try:
        return reader.verify(body, request.headers)
    except SignatureError as error:
        raise InvalidSignatureError(str(error)) from error
    except MalformedWebhookError as error:
        raise MalformedEventError(str(error)) from error


def _record(webhook: Webhook, body: bytes, provider: str, parts: Parts) -> Record:
    """The record: the body untouched, keyed by our payment ID where the event carries one."""
    about = [
        (headers.EVENT_ID, webhook.event_id.encode()),
        (headers.PROVIDER, provider.encode()),
        (headers.RECEIVED_AT, parts.clock().isoformat().encode()),
    ]
    if webhook.object_id is not None:
        about.append((headers.OBJECT_ID, webhook.object_id.encode()))
    if webhook.payment_id is not None and is_payment_id(webhook.payment_id):
        bind_contextvars(event_id=webhook.event_id, payment_id=webhook.payment_id)
        return Record(PROVIDER_WEBHOOKS, webhook.payment_id.encode(), body, about)
    bind_contextvars(event_id=webhook.event_id)
    key = webhook.object_id or webhook.event_id
    return Record(PROVIDER_WEBHOOKS_UNROUTED, key.encode(), body, about)


ROUTE: Final = WebhookRoute(PATH, receive_webhook, methods=["POST"], include_in_schema=False)

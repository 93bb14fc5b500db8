"""``POST /webhooks/{provider}``: verifies a webhook, publishes its body, answers 200.

An account with a name of its own has ``/webhooks/{provider}/{account}``. Under the path of either,
``/notices`` is its endpoint for notices, if it has one: what comes there is about no payment.

The body is published as it came, without customers' secrets: it is kept for months.

This is the busiest path. It is a plain Starlette route: no FastAPI dependencies, no pydantic, no
Postgres.
"""

from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope
from structlog.contextvars import bind_contextvars

from ingress.errors import (
    BodyTooLargeError,
    InvalidSignatureError,
    UnknownProviderError,
    UnsupportedMediaTypeError,
)
from ingress.http.body import read_body
from ingress.http.json_body import refuse_encoded
from ingress.routes.dependencies import AppContext, context_of
from ports.producer_record import ProducerRecord
from ports.provider import (
    MalformedWebhookError,
    SignatureError,
    Webhook,
    WebhookReader,
    unreadable,
)
from runtime.logs import get_logger
from schemas import headers
from schemas.accounts.provider_accounts import NOTICES
from schemas.identity import is_payment_id
from schemas.topics import PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED

log = get_logger(__name__)

PATH: Final = "/webhooks/{provider}"
ACCOUNT_PATH: Final = "/webhooks/{provider}/{account}"
NOTICES_PATH: Final = f"{PATH}/{NOTICES}"
ACCOUNT_NOTICES_PATH: Final = f"{ACCOUNT_PATH}/{NOTICES}"
_REFUSALS: Final = (
    InvalidSignatureError,
    BodyTooLargeError,
    UnsupportedMediaTypeError,
)
_RECEIVED: Final = b'{"received":true}'


class WebhookRoute(Route):
    """A route that adds itself to the scope, where the middleware's metrics look for it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See ``Route.matches``."""
        match, child_scope = super().matches(scope)
        return match, child_scope if match is Match.NONE else {**child_scope, "route": self}


async def receive_webhook(request: Request) -> Response:
    """Accepts one webhook. Refused ones are counted, not stored."""
    context = context_of(request)
    return await _receive(request, context, _reader(request, context.readers))


async def receive_notice(request: Request) -> Response:
    """Accepts one notice, as a webhook."""
    context = context_of(request)
    reader = _reader(request, context.notices)
    return await _receive(request, context, reader, (headers.NOTICE, b"true"))


async def _receive(
    request: Request, context: AppContext, reader: WebhookReader, *added: tuple[str, bytes]
) -> Response:
    try:
        refuse_encoded(request.headers)
        body = await read_body(request, context.body_limit_bytes)
        webhook = _verified(reader, body, request, context)
        kept = reader.without_secrets(body)
        account = webhook.provider or reader.name
        await context.publisher.publish(_record(webhook, kept, account, context, *added))
    except _REFUSALS as error:
        context.metrics.rejected_webhooks.labels(reader.name, error.slug).inc()
        raise
    return Response(_RECEIVED, media_type="application/json")


def _reader(request: Request, readers: Mapping[str, WebhookReader]) -> WebhookReader:
    """Returns the reader of the account at this address. Raises UnknownProviderError."""
    provider = request.path_params["provider"]
    reader = readers.get(request.path_params.get("account", provider))
    if reader is None or reader.provider != provider:
        raise UnknownProviderError("No such provider is configured. Check the webhook's address.")
    return reader


def _verified(reader: WebhookReader, body: bytes, request: Request, context: AppContext) -> Webhook:
    """Returns the webhook if it is signed, whatever its form: what can't be read is kept too."""
    try:
        return reader.verify(body, request.headers)
    except SignatureError as error:
        raise InvalidSignatureError(str(error)) from error
    except MalformedWebhookError as error:
        log.warning("webhook.unreadable", provider=reader.name, reason=str(error))
        context.metrics.unreadable_webhooks.labels(reader.name).inc()
        return unreadable(body)


def _record(
    webhook: Webhook,
    body: bytes,
    provider: str,
    context: AppContext,
    *added: tuple[str, bytes],
) -> ProducerRecord:
    """Returns a record of the body. Its key is our payment ID if the event has one."""
    about = [
        (headers.EVENT_ID, webhook.event_id.encode()),
        (headers.PROVIDER, provider.encode()),
        (headers.RECEIVED_AT, context.clock().isoformat().encode()),
        *added,
    ]
    if webhook.object_id is not None:
        about.append((headers.OBJECT_ID, webhook.object_id.encode()))
    if webhook.payment_id is not None and is_payment_id(webhook.payment_id):
        bind_contextvars(event_id=webhook.event_id, payment_id=webhook.payment_id)
        return ProducerRecord(PROVIDER_WEBHOOKS, webhook.payment_id.encode(), body, about)
    bind_contextvars(event_id=webhook.event_id)
    key = webhook.object_id or webhook.event_id
    return ProducerRecord(PROVIDER_WEBHOOKS_UNROUTED, key.encode(), body, about)


#: Routes are tried in order: the busiest first, and no account has the name of notices' path.
ROUTES: Final = tuple(
    WebhookRoute(path, endpoint, methods=["POST"], include_in_schema=False)
    for path, endpoint in (
        (PATH, receive_webhook),
        (NOTICES_PATH, receive_notice),
        (ACCOUNT_PATH, receive_webhook),
        (ACCOUNT_NOTICES_PATH, receive_notice),
    )
)

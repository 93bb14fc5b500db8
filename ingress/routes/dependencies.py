"""What the routes share: the parts they are given, and what a request says of its sender."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Header, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from structlog.contextvars import bind_contextvars

from ingress.auth import tenant_of
from ingress.cards import holds_card_number
from ingress.command_service import CommandService
from ingress.database import Database
from ingress.errors import UnknownPaymentError
from ingress.http.json_body import card_number_sent, read_model
from ingress.idempotency import idempotency_key
from ingress.metrics import Metrics
from ingress.publisher import Publisher
from ports.provider import WebhookReader
from schemas import identity
from schemas.model import Model

Clock = Callable[[], datetime]
M = TypeVar("M", bound=Model)

_BEARER: Final = HTTPBearer(
    auto_error=False, scheme_name="ApiKey", description="An API key; it belongs to one tenant."
)


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything the routes work with; ``app.create_app`` puts it together."""

    tenants: Mapping[str, str]
    readers: Mapping[str, WebhookReader]
    publisher: Publisher
    intake: CommandService
    database: Database
    metrics: Metrics
    clock: Clock
    body_limit: int
    default_provider: str
    payment_expiry: timedelta


def parts_of(request: Request) -> Parts:
    """The application's parts."""
    parts = request.app.state.parts
    if not isinstance(parts, Parts):
        raise TypeError("the application has no parts; create_app makes it whole")
    return parts


async def _tenant(
    request: Request,
    # Only declares the scheme for the documentation; the header is read below.
    _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)] = None,
) -> str:
    return tenant_of(request.headers.get("authorization"), parts_of(request).tenants)


Tenant = Annotated[str, Depends(_tenant)]


async def _owned_payment(
    tenant: Tenant,
    payment_id: Annotated[
        str,
        Path(
            alias="id",
            description="The payment's ID.",
            examples=[identity.payment_id("demo", "order-1001")],
        ),
    ],
) -> str:
    if not (identity.is_payment_id(payment_id) and identity.belongs_to(tenant, payment_id)):
        raise UnknownPaymentError("No payment of yours has this ID. Check that it is complete.")
    bind_contextvars(payment_id=payment_id)
    return payment_id


OwnedPayment = Annotated[str, Depends(_owned_payment)]


async def _idempotency_key(
    request: Request,
    _documented: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Names the operation: a retry sends the same key and the same body.",
            examples=["order-1001"],
        ),
    ] = None,
) -> str:
    key = idempotency_key(request.headers.getlist("idempotency-key"))
    if holds_card_number(key):
        raise card_number_sent(["Idempotency-Key"])
    return key


IdempotencyKey = Annotated[str, Depends(_idempotency_key)]


def json_body(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """A dependency that reads the body as ``model``.

    Not FastAPI's own body parameter: that reads any amount of any sender's body before the
    sender is known.
    """

    async def read(request: Request) -> M:
        return await read_model(request, model, parts_of(request).body_limit)

    return read

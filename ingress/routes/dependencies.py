"""FastAPI dependencies of the routes: the application's services, and the sender of a request."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Header, Path, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import create_model
from structlog.contextvars import bind_contextvars

from ingress.accounts import AccountChoice
from ingress.auth import tenant_of
from ingress.cards import contains_card_number
from ingress.command_service import CommandService
from ingress.database import Database
from ingress.errors import UnknownOperationError, UnknownPaymentError
from ingress.following.accepted import AcceptedCommands
from ingress.following.changes import Waits
from ingress.following.preference import WAIT_MAX_S, wait_of
from ingress.http.etags import IF_MATCH, expected_version
from ingress.http.json_body import card_number_error, read_model
from ingress.http.query import refuse_unknown
from ingress.idempotency import idempotency_key
from ingress.metrics import Metrics
from ingress.publisher import Publisher
from ingress.routes import examples
from ports.notices import NoticeReader
from ports.provider import ClientSecretReader, MoneyRules, WebhookReader
from schemas import identity
from schemas.http import CreateRequest
from schemas.model import Model

Clock = Callable[[], datetime]
M = TypeVar("M", bound=Model)

_BEARER: Final = HTTPBearer(
    auto_error=False, scheme_name="ApiKey", description="The API key of one tenant."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """The services and settings that routes use. ``ingress.app.create_app`` makes it."""

    #: The tenant of each API key, by the key's SHA-256 in hex.
    tenants: Mapping[str, str]
    accounts: AccountChoice
    #: By the provider account's name.
    readers: Mapping[str, WebhookReader]
    #: The same of the accounts that have an endpoint for notices.
    notices: Mapping[str, NoticeReader]
    money_rules: Mapping[str, MoneyRules]
    #: By the provider account's name; without one, its client secrets are not served.
    client_secrets: Mapping[str, ClientSecretReader]
    publisher: Publisher
    command_service: CommandService
    #: What the log has, and the store may not have yet.
    accepted: AcceptedCommands
    waits: Waits
    database: Database
    metrics: Metrics
    clock: Clock
    body_limit_bytes: int
    payment_expiry: timedelta


def context_of(request: Request) -> AppContext:
    """Returns the application's context."""
    context = request.app.state.context
    if not isinstance(context, AppContext):
        raise TypeError("the application has no context: make it with create_app")
    return context


async def _tenant(
    request: Request,
    # Declares the scheme for the documentation only. The header is read below.
    _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)] = None,
) -> str:
    return tenant_of(request.headers.get("authorization"), context_of(request).tenants)


Tenant = Annotated[str, Depends(_tenant)]


async def known_query(request: Request, _tenant: Tenant) -> None:
    """Refuses unknown parameters of a GET, once its sender is known."""
    refuse_unknown(request)


async def _owned_payment(
    tenant: Tenant,
    payment_id: Annotated[
        str,
        Path(
            alias="id",
            description="The payment's ID.",
            examples=[examples.PAYMENT_ID],
        ),
    ],
) -> str:
    if not (identity.is_payment_id(payment_id) and identity.belongs_to(tenant, payment_id)):
        raise UnknownPaymentError("You have no payment with this ID. Check the ID.")
    bind_contextvars(payment_id=payment_id)
    return payment_id


OwnedPayment = Annotated[str, Depends(_owned_payment)]


@dataclass(frozen=True, slots=True)
class NamedOperation:
    """An operation's ID, and the IDs that it is made of."""

    id: str
    payment_id: str
    #: Of its command.
    event_id: str


async def _owned_operation(
    tenant: Tenant,
    operation_id: Annotated[
        str,
        Path(
            alias="id",
            description="The operation's ID.",
            examples=[examples.OPERATION_ID],
        ),
    ],
) -> NamedOperation:
    parts = identity.operation_parts(operation_id)
    if parts is None or not identity.belongs_to(tenant, parts[0]):
        raise UnknownOperationError("You have no operation with this ID. Check the ID.")
    payment_id, event_id = parts
    bind_contextvars(payment_id=payment_id, event_id=event_id)
    return NamedOperation(operation_id, payment_id, event_id)


OwnedOperation = Annotated[NamedOperation, Depends(_owned_operation)]


async def _idempotency_key(
    request: Request,
    _documented: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Names the operation. A retry has the same key and the same body. A string "
            'of structured fields (RFC 8941), as in `"order-1001"`; without the quotation marks it '
            "is the same key.",
        ),
    ] = None,
) -> str:
    key = idempotency_key(request.headers.getlist("idempotency-key"))
    if contains_card_number(key):
        raise card_number_error(["Idempotency-Key"])
    return key


IdempotencyKey = Annotated[str, Depends(_idempotency_key)]


async def _wait(
    request: Request,
    _documented: Annotated[
        str | None,
        Header(
            alias="Prefer",
            description=f"`wait=5` (RFC 7240) has the answer wait for a decision: 5 seconds at "
            f"most, and never more than {WAIT_MAX_S}. It is a wish: without `Preference-Applied` "
            "in the answer nothing was waited for. Other preferences are ignored.",
            examples=["wait=5"],
        ),
    ] = None,
) -> int | None:
    sent = request.headers.getlist("prefer")
    return wait_of(sent) if sent else None


#: For how many seconds the client wants to wait for a decision; None: not at all.
Wait = Annotated[int | None, Depends(_wait)]


def json_body(model: type[M]) -> Callable[..., Awaitable[M]]:
    """Returns a dependency that reads the body as ``model``.

    FastAPI's own body parameter would read a body of any size before the sender is known. Of an
    operation on a payment the model has the version of ``If-Match``, too, as a field that no body
    can have: so it is a part of what a retry must repeat, and of the command.
    """

    async def read(request: Request) -> M:
        return await read_model(request, model, context_of(request).body_limit_bytes)

    if issubclass(model, CreateRequest):
        return read
    with_version = create_model(model.__name__, __base__=model, expected_version=(int | None, None))

    async def read_with_version(
        request: Request,
        _documented: Annotated[str | None, Header(alias="If-Match", description=IF_MATCH)] = None,
    ) -> M:
        version = expected_version(request.headers.getlist("if-match"))
        found = await read(request)
        if version is None:
            return found
        return with_version.model_validate({**found.model_dump(), "expected_version": version})

    return read_with_version

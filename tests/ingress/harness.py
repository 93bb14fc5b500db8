"""Shared by the ingress's tests: an application, a client, and fakes of the log and the store."""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from ingress.accounts import AccountChoice, Providers
from ingress.app import Followed, create_app
from ingress.database import Database, Query
from ingress.errors import DatabaseUnavailableError
from ingress.following.waiters import Waiter
from ingress.http.connections import Connections
from ingress.metrics import Metrics
from ingress.publisher import Publisher
from ports.notices import NoticeReader
from ports.producer_record import ProducerRecord
from ports.provider import ClientSecretReader, WebhookReader
from postgres.reads import FirstInput
from providers.examplepay.webhooks import ExamplePayWebhooks
from providers.registry import money_rules
from providers.stripe.webhooks import StripeWebhooks
from sandbox.stripe_simulator.webhooks.signing import signature_header
from schemas.accounts.provider_accounts import TenantAccounts
from schemas.commands import Command, CreatePayment
from schemas.settings import IngressSettings

T = TypeVar("T")

NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECRETS: Final = ("whsec_current_one", "whsec_previous_one")
SECOND_SECRET: Final = "whsec_dGhlIHNlY3JldCBvZiB0aGUgb3RoZXIgb25l"  # noqa: S105  # a test value
TENANT_KEYS: Final = {"acme": "key-of-acme", "globex": "key-of-globex"}
BODY_LIMIT: Final = 4096
NOWHERE: Final = "postgresql://nobody@127.0.0.1:1/nothing"
PAYMENT: Final[dict[str, Any]] = {
    "amount": 1999,
    "currency": "EUR",
    "payment_method": "pm_card_visa",
}


@dataclass
class Log:
    """A fake ``Publisher`` that keeps the records. A test can make it fail or wait."""

    records: list[ProducerRecord] = field(default_factory=list)
    failure: Exception | None = None
    #: Publishing waits for this event, and sets ``waiting`` first.
    gate: asyncio.Event | None = None
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    async def publish(self, record: ProducerRecord) -> None:
        """See ``Publisher.publish``."""
        if self.failure is not None:
            raise self.failure
        if self.gate is not None:
            self.waiting.set()
            await self.gate.wait()
        self.records.append(record)

    async def unavailable_reason(self) -> str | None:
        """See ``Publisher.unavailable_reason``."""
        return None if self.failure is None else "a test made it fail"


class FakeStore(Database):
    """A fake store whose look-ups return nothing or a first input, or fail."""

    def __init__(self) -> None:
        super().__init__(SecretStr(NOWHERE))
        self.first: FirstInput | None = None
        self.available = True

    async def run(self, query: Query[T], deadline_s: float) -> T:  # noqa: ARG002  # the same signature
        """See ``Database.run``."""
        if not self.available:
            raise DatabaseUnavailableError("stopped")
        return cast("T", self.first)


class EmptyLog:
    """Fake ``AcceptedCommands`` and ``Waits``: the log has nothing, and no request waits."""

    async def create_of(self, payment_id: str) -> CreatePayment | None:  # noqa: ARG002  # the same signature
        """See ``AcceptedCommands.create_of``."""
        return None

    async def command_of(self, payment_id: str, event_id: str) -> Command | None:  # noqa: ARG002  # as above
        """See ``AcceptedCommands.command_of``."""
        return None

    async def begin(
        self,
        payment_id: str,  # noqa: ARG002  # as above
        operation_id: str | None,  # noqa: ARG002  # as above
        *,
        for_payment: bool,  # noqa: ARG002  # as above
    ) -> Waiter | None:
        """See ``Waits.begin``."""
        return None

    def end(self, waiter: Waiter) -> None:
        """See ``Waits.end``."""


NOT_FOLLOWED: Final = Followed(EmptyLog(), EmptyLog())


def settings(tenants: Mapping[str, str] = TENANT_KEYS) -> IngressSettings:
    """Returns settings with one API key per tenant."""
    keys = {hashlib.sha256(key.encode()).hexdigest(): name for name, key in tenants.items()}
    return IngressSettings(api_keys=keys, body_limit_bytes=BODY_LIMIT, payment_expiry_s=3600)


def application(
    publisher: Publisher,
    database: Database,
    metrics: Metrics,
    tenants: Mapping[str, str] = TENANT_KEYS,
    connections: Connections | None = None,
    resources: Sequence[AbstractAsyncContextManager[Any]] = (),
    client_secrets: Mapping[str, ClientSecretReader] | None = None,
    further: Sequence[WebhookReader] = (),
    notices: Sequence[NoticeReader] = (),
    tenant_accounts: Mapping[str, TenantAccounts] | None = None,
    followed: Followed = NOT_FOLLOWED,
) -> FastAPI:
    """Returns the real application at a fixed time, with both providers' real readers.

    Its lifespan opens and closes ``resources``. ``further`` are readers of further accounts,
    ``notices`` of endpoints for notices.
    """
    secrets = tuple(SecretStr(secret) for secret in SECRETS)
    readers: tuple[WebhookReader, ...] = (
        StripeWebhooks(secrets, 300, lambda: datetime.now(UTC)),
        ExamplePayWebhooks((SecretStr(SECOND_SECRET),), 300, lambda: NOW),
        *further,
    )
    rules, others = money_rules(), TenantAccounts(default="stripe", allowed=("examplepay",))
    return create_app(
        settings(tenants),
        providers=Providers(
            choice=AccountChoice(tenant_accounts or {}, others),
            readers={reader.name: reader for reader in readers},
            notices={reader.name: reader for reader in notices},
            money_rules={reader.name: rules[reader.provider] for reader in readers},
            client_secrets=client_secrets or {},
        ),
        publisher=publisher,
        database=database,
        followed=followed,
        metrics=metrics,
        clock=lambda: NOW,
        connections=connections,
        resources=resources,
    )


def client_of(app: FastAPI, tenant: str | None = "acme") -> httpx.AsyncClient:
    """Returns a client of the application with a tenant's API key, or with none."""
    headers = {} if tenant is None else {"Authorization": f"Bearer {TENANT_KEYS[tenant]}"}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://ingress", headers=headers)


def keyed(key: str) -> dict[str, str]:
    """Returns the Idempotency-Key header."""
    return {"Idempotency-Key": key}


def event(about: Mapping[str, Any], **fields: Any) -> bytes:
    """Returns a Stripe event about an object, as bytes."""
    whole = {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded"}
    return json.dumps(
        {**whole, "created": 1, "livemode": False, "data": {"object": about}, **fields}
    ).encode()


def signed(body: bytes, secret: str = SECRETS[0], age_s: int = 0) -> dict[str, str]:
    """Returns the headers that Stripe sends with a body."""
    at = int(time.time()) - age_s
    return {
        "Stripe-Signature": signature_header(body, secret, at),
        "Content-Type": "application/json",
    }


def assert_problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """Checks that the response is this problem in the form of RFC 9457; returns its body."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == f"/problems/{slug}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body

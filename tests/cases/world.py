"""What a case does and reads: the client, the provider, somebody else with the provider's key."""

import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx
import psycopg

from messaging.log_reader import records
from sandbox.client import Json, PaymentsClient, SimulatorControl
from sandbox.stripe_simulator.webhooks.signing import signature_header
from schemas import headers
from schemas.topics import DEAD_LETTERS, PAYMENT_STATE
from tests.service.stack import Stack
from tests.support.waiting import until

WITHIN_S: Final = 30.0
WEBHOOKS: Final = "/webhooks/stripe"
BODY: Final[Json] = {"amount": 1000, "currency": "EUR", "payment_method": "pm_card_visa"}
#: A payment that waits at the provider, so that a case decides what happens to it.
AUTHORIZED: Final[Json] = {"capture_method": "manual"}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class DeadRecord:
    """A record of ``dead-letters``."""

    value: bytes
    error: str
    event_id: str | None


@dataclass(frozen=True, slots=True)
class World:
    """One running service, seen from outside.

    Args:
        stack: its programs and addresses.
        client: the tenant's HTTP API.
        simulator: the simulator's switches.
        http: requests to the ingress without the tenant's key.
        stripe_api: requests to the provider's API with the account's own key.
    """

    stack: Stack
    client: PaymentsClient
    simulator: SimulatorControl
    http: httpx.AsyncClient
    stripe_api: httpx.AsyncClient

    async def create(self, status: str = "SUCCEEDED", **body: Any) -> Json:
        """Creates a payment and returns it in this status, once the provider is silent about it."""
        payment_id = await self.client.create({**BODY, **body})
        await self.settled()
        return await self.when(
            payment_id, lambda p: p["status"] == status and p["provider_object_id"] is not None
        )

    async def when(
        self, payment_id: str, condition: Callable[[Json], bool], within_s: float = WITHIN_S
    ) -> Json:
        """Returns the payment once the condition holds. Raises UnexpectedResponseError."""
        return await self.client.wait_for(payment_id, condition, within_s)

    async def settled(self) -> None:
        """Waits until the simulator has delivered every webhook that it has to deliver."""

        async def has_delivered() -> bool:
            return bool((await self.simulator.get("/stats"))["pending_deliveries"] == 0)

        await until(has_delivered, WITHIN_S)

    # --- what the provider sends ------------------------------------------------------------------

    async def send(self, event: Json) -> str:
        """Delivers an event as the provider does, and returns its ID."""
        response = await self.send_bytes(json.dumps(event).encode())
        assert response.status_code == httpx.codes.OK, response.text
        return str(event["id"])

    async def send_bytes(self, body: bytes, signature: str | None = None) -> httpx.Response:
        """Posts any bytes as a webhook, signed now, or with this ``Stripe-Signature``."""
        signature = self.signature(body) if signature is None else signature
        return await self.http.post(WEBHOOKS, content=body, headers={"stripe-signature": signature})

    def signature(self, body: bytes, age_s: int = 0, secret: str | None = None) -> str:
        """The provider's signature of a body. A negative age is in the future."""
        secret = self.stack.webhook_secret if secret is None else secret
        return signature_header(body, secret, int(time.time()) - age_s)

    async def stripe(self, method: str, path: str, **params: Any) -> Json:
        """A request that somebody else with the account's key makes. Returns the object."""
        response = await self.stripe_api.request(
            method,
            path,
            data=dict(_form("", params)) if params else None,
            headers={"Idempotency-Key": secrets.token_hex(12)} if method == "POST" else {},
        )
        found: Json = response.raise_for_status().json()
        return found

    async def made_object(self, payment_id: str) -> str:
        """The ID of the payment's object, once the provider has made it."""

        async def made() -> str | None:
            objects = (await self.simulator.get("/objects"))["payment_intents"]
            ours = [o["id"] for o in objects if o["metadata"].get("payment_id") == payment_id]
            return ours[0] if ours else None

        return await eventually("the provider has the payment", made)

    # --- what the service shows -------------------------------------------------------------------

    async def entry(self, payment_id: str, event_id: str) -> Json:
        """An event's entry in the payment's timeline, once there is one that is decided."""

        async def decided() -> Json | None:
            timeline = await self.client.timeline(payment_id)
            found = [e for e in timeline["entries"] if e["event_id"] == event_id]
            return found[0] if found and found[0]["outcome"] != "parked" else None

        return await eventually(f"{event_id} is decided", decided)

    async def ignored(self, event_id: str) -> tuple[str, str]:
        """Kind and reason of a webhook that ended as ignored without a payment."""

        async def recorded() -> tuple[str, str] | None:
            found = await self.rows(
                "select kind, reason from ignored_webhooks where split_part(event_id, '@', 1) = %s",
                event_id,
            )
            return found[0] if found else None

        return await eventually(f"{event_id} is ignored", recorded)

    async def rows(self, statement: str, *values: Any) -> list[Any]:
        """The rows of a query in the service's database."""
        url = self.stack.infrastructure.database_url
        async with await psycopg.AsyncConnection.connect(url) as connection:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall()

    async def states(self, payment_id: str) -> list[Json]:
        """The payment's records on ``payment-state``, in their order."""
        bootstrap = self.stack.infrastructure.kafka_bootstrap
        return [
            json.loads(record.value or b"null")
            async for record in records(bootstrap, PAYMENT_STATE)
            if record.key == payment_id.encode()
        ]

    async def dead_letters(self) -> list[DeadRecord]:
        """Every record of ``dead-letters``."""
        bootstrap, found = self.stack.infrastructure.kafka_bootstrap, []
        async for record in records(bootstrap, DEAD_LETTERS):
            named = headers.as_text(record.headers)
            letter = DeadRecord(
                record.value or b"", named[headers.ERROR], named.get(headers.EVENT_ID)
            )
            found.append(letter)
        return found

    def metric(self, program: str, name: str) -> float:
        """The sum of one metric's samples, as the program serves it."""
        return self.stack.metric(program, name)


@asynccontextmanager
async def world_of(stack: Stack) -> AsyncIterator[World]:
    """Opens the connections of a running service's users."""
    key = stack.environment["PAYMENTS_STRIPE_API_KEY"]
    async with (
        PaymentsClient(stack.url, stack.api_key) as client,
        SimulatorControl(stack.simulator_url) as simulator,
        httpx.AsyncClient(base_url=stack.url, timeout=30.0) as http,
        httpx.AsyncClient(
            base_url=stack.simulator_url, headers={"Authorization": f"Bearer {key}"}, timeout=30.0
        ) as stripe_api,
    ):
        yield World(stack, client, simulator, http, stripe_api)


async def eventually(
    what: str, poll: Callable[[], Awaitable[_T | None]], within_s: float = WITHIN_S
) -> _T:
    """Polls until there is a value, and returns it. Raises AssertionError at the timeout."""
    found: list[_T] = []

    async def is_there() -> bool:
        value = await poll()
        if value is not None:
            found.append(value)
        return value is not None

    try:
        await until(is_there, within_s)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s: {what}") from None
    return found[0]


def _form(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yields the pairs of a form in Stripe's notation: ``metadata[order]=A-1``."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _form(f"{prefix}[{name}]" if prefix else str(name), each)
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _form(f"{prefix}[{number}]", each)
    else:
        yield prefix, str(value).lower() if isinstance(value, bool) else str(value)

"""A continuous load of payments and webhooks; each is retried until it is accepted."""

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx

from processor.ops.invariants import Evidence
from sandbox.stripe_simulator.webhooks.signing import signature_header
from tests.faults.process_supervisor import until
from tests.service import evidence
from tests.service.stack import Stack

BODY: Final = {"amount": 1_000, "currency": "EUR", "payment_method": "pm_card_visa"}
PAUSE_S: Final = 0.05
TIMEOUT_S: Final = 20.0
#: The timeout of any wait, long enough for busy machines.
LONG_S: Final = 120.0
UNAVAILABLE: Final = httpx.codes.SERVICE_UNAVAILABLE


class Load:
    """The requests sent, and the ingress's responses."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient) -> None:
        self._stack = stack
        self._http = http
        self._name = secrets.token_hex(4)
        self._stopping = False
        #: Payments whose creation was accepted with 202.
        self.payments: set[str] = set()
        #: Event IDs of the webhooks that were accepted with 200.
        self.events: set[str] = set()
        #: Responses by status code; 0 counts requests without one.
        self.responses: Counter[int] = Counter()

    async def more(self, count: int) -> None:
        """Waits until ``count`` more payments are accepted."""
        wanted = len(self.payments) + count
        await until(lambda: len(self.payments) >= wanted, f"{count} more payments", LONG_S)

    async def until_response(self, code: int) -> None:
        """Waits for another response with this code."""
        wanted = self.responses[code] + 1
        await until(lambda: self.responses[code] >= wanted, f"a response {code}", LONG_S)

    async def send(self, sender: int) -> None:
        """Sends payments and a webhook about each, until stopped and all are accepted."""
        number = 0
        while not self._stopping:
            key = f"{self._name}-{sender}-{number}"
            number += 1
            payment_id = await self._create(key)
            self.payments.add(payment_id)
            self.events.add(await self._send_webhook(f"evt_{key}", payment_id))
            await asyncio.sleep(PAUSE_S)  # the rate

    def stop(self) -> None:
        """Starts no further payment; requests in progress are completed."""
        self._stopping = True

    async def _create(self, key: str) -> str:
        authorization = f"Bearer {self._stack.api_key}"
        headers = {"authorization": authorization, "idempotency-key": key}
        response = await self._retry_until_accepted(
            "/v1/payments", json.dumps(BODY).encode(), headers
        )
        return str(response.json()["id"])

    async def _send_webhook(self, event_id: str, payment_id: str) -> str:
        body = webhook(event_id, payment_id)
        header = signature_header(body, self._stack.webhook_secret, int(time.time()))
        await self._retry_until_accepted("/webhooks/stripe", body, {"stripe-signature": header})
        return event_id

    async def _retry_until_accepted(
        self, path: str, body: bytes, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Retries a request until it is accepted, as its sender would."""
        while True:
            try:
                response = await self._http.post(
                    path, content=body, headers={**headers, "content-type": "application/json"}
                )
            except httpx.HTTPError:
                self.responses[0] += 1
            else:
                self.responses[response.status_code] += 1
                if response.is_success:
                    return response
                assert response.status_code == UNAVAILABLE, response.text
            await asyncio.sleep(PAUSE_S)  # between two tries


def webhook(event_id: str, payment_id: str, padding: int = 0) -> bytes:
    """An event about a payment, of a type without effect. It still gets an outcome.

    ``padding`` bytes are added to it.
    """
    about = {"id": "cus_1", "object": "customer", "metadata": {"payment_id": payment_id}}
    about["description"] = "x" * padding
    event = {
        "id": event_id,
        "object": "event",
        "type": "customer.updated",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": about},
    }
    return json.dumps(event).encode()


@asynccontextmanager
async def loaded(stack: Stack, senders: int = 3) -> AsyncIterator[Load]:
    """Runs a load during the block, then waits until everything sent is accepted."""
    async with httpx.AsyncClient(base_url=stack.url, timeout=TIMEOUT_S) as http:
        load = Load(stack, http)
        sending = [asyncio.create_task(load.send(sender)) for sender in range(senders)]
        try:
            yield load
            load.stop()
            await asyncio.gather(*sending)
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)


async def assert_nothing_lost(stack: Stack, load: Load) -> Evidence:
    """Asserts at rest that every accepted request has its effect and every invariant holds."""
    found = await evidence.at_rest(stack)
    evidence.check(found)
    assert load.payments, "nothing was sent"
    assert load.payments <= found.payments.keys(), "accepted payments are lost"
    assert load.events <= {row.event_id.partition("@")[0] for row in found.inbox}, (
        "accepted webhooks are lost"
    )
    await evidence.agrees_with_oracle(stack, found)
    await evidence.agrees_with_provider(stack, found)
    return found

"""A client that does well beside every attack at once: answers, and payments that end, in time."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import httpx
import pytest
from aiokafka.client import AIOKafkaClient

from sandbox.client import PaymentsClient
from schemas.topics import PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED
from tests.hostile.poison import poison
from tests.service.stack import Stack
from tests.support.raw_batches import publish

pytestmark = [pytest.mark.anyio, pytest.mark.alone]

BODY: Final = {"amount": 1000, "currency": "EUR", "payment_method": "pm_card_visa"}
#: Payments of one measurement, one started every so many seconds.
PAYMENTS: Final = 100
EVERY_S: Final = 0.05
#: Below this a difference says nothing, on a machine that does nothing else.
FLOOR_S: Final = {"answered": 0.1, "ended": 1.0}
#: And one slow run says nothing.
ATTEMPTS: Final = 3
Times = dict[str, float]


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


async def _measured(client: PaymentsClient) -> Times:
    """99th percentiles in seconds: of the answers to creates, and until their payments ended."""
    answered: list[float] = []
    ended: list[float] = []

    async def pay() -> None:
        began = time.monotonic()
        payment_id = await client.create(BODY)
        answered.append(time.monotonic() - began)
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
        ended.append(time.monotonic() - began)

    async with asyncio.TaskGroup() as paying:
        for _ in range(PAYMENTS):
            paying.create_task(pay())
            await asyncio.sleep(EVERY_S)  # the pace of the client
    return {"answered": _p99(answered), "ended": _p99(ended)}


async def _poison(service: Stack, nth: int) -> None:
    """Poison of some kind on every topic."""
    kinds = list(poison())
    client = AIOKafkaClient(bootstrap_servers=service.infrastructure.kafka_bootstrap)
    try:
        await client.bootstrap()
        for topic in (*PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED):
            _, made = kinds[nth % len(kinds)]
            await publish(client, topic, 0, made)
    finally:
        await client.close()


async def _refused(service: Stack, _: int) -> None:
    """Requests that are refused: no key, a wrong signature, a body that is none."""
    async with httpx.AsyncClient(base_url=service.url) as http:
        answers = [
            await http.post("/v1/payments", json=BODY),
            await http.post("/webhooks/stripe", content=b"{}", headers={"stripe-signature": "t=1"}),
            await http.post(
                "/v1/payments",
                content=b"[" * 1000,
                headers={"authorization": f"Bearer {service.api_key}", "idempotency-key": "k"},
            ),
        ]
    assert all(answer.is_client_error for answer in answers)


async def _slow(service: Stack, _: int) -> None:
    """A connection that sends a header a letter at a time, and one that sends nothing."""
    url = httpx.URL(service.url)
    idle = await asyncio.open_connection(url.host, url.port)
    _reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        with suppress(ConnectionError):  # it may be closed at its deadline
            for letter in b"POST /v1/payments HTTP/1.1\r\nX-Slow: yes":
                writer.write(bytes([letter]))
                await writer.drain()
                await asyncio.sleep(0.02)  # that is the attack
    finally:
        writer.close()
        idle[1].close()


async def _floods(service: Stack, _: int) -> None:
    """A head without end, until it is refused."""
    url = httpx.URL(service.url)
    _reader, writer = await asyncio.open_connection(url.host, url.port)
    with suppress(ConnectionError):
        writer.write(b"GET / HTTP/1.1\r\n")
        for _ in range(1000):
            writer.write(b"X-More: " + b"a" * 1000 + b"\r\n")
            await writer.drain()
    writer.close()


ATTACKS: Final[tuple[Callable[[Stack, int], Awaitable[None]], ...]] = (
    _poison, _refused, _slow, _slow, _floods,
)  # fmt: skip


@asynccontextmanager
async def _attacked(service: Stack) -> AsyncIterator[list[int]]:
    """Every attack, again and again, until the block ends; how often each came to its end."""
    ends = [0] * len(ATTACKS)

    async def again(number: int, attack: Callable[[Stack, int], Awaitable[None]]) -> None:
        while True:
            await attack(service, ends[number])
            ends[number] += 1
            await asyncio.sleep(0.05)  # so that it is an attack on the service, not on this client

    attacks: list[asyncio.Task[Any]] = [
        asyncio.create_task(again(number, attack)) for number, attack in enumerate(ATTACKS)
    ]
    try:
        yield ends
    finally:
        for attack in attacks:
            attack.cancel()
        found = await asyncio.gather(*attacks, return_exceptions=True)
    failed = [each for each in found if not isinstance(each, asyncio.CancelledError)]
    assert not failed, failed


def _limits(quiet: Times) -> Times:
    competition = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    return {what: max(3 * took, FLOOR_S[what] * competition) for what, took in quiet.items()}


async def test_a_client_is_served_as_if_it_were_alone(service: Stack, record_property: Any) -> None:
    """The 99th percentile stays within three times its own: of answers, and of payments' ends."""
    async with PaymentsClient(service.url, service.api_key) as client:
        for _ in range(ATTEMPTS):
            quiet = await _measured(client)
            async with _attacked(service) as ends:
                beside = await _measured(client)
            record_property("p99_s", (quiet, beside))
            assert all(ends), "an attack that never came to its end"
            limits = _limits(quiet)
            if all(beside[what] <= limits[what] for what in limits):
                return
    raise AssertionError((quiet, beside))

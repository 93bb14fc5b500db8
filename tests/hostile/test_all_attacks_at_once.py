"""During all attacks at once, a well-behaved client's payments still succeed in time."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
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
#: The payments of one measurement, and the seconds between their starts.
PAYMENTS: Final = 100
EVERY_S: Final = 0.05
#: Times below this always pass; on a busy machine the value is scaled by the load.
FLOOR_S: Final = {"accepted": 0.1, "ended": 1.0}
#: One slow run is not a failure.
ATTEMPTS: Final = 3
#: Every attack ends by itself within this.
ENDS_WITHIN_S: Final = 30.0
Times = dict[str, float]


def _p99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99) - 1]


async def _measured(client: PaymentsClient) -> Times:
    """Returns 99th percentiles in seconds: until a create's response, and until SUCCEEDED."""
    accepted: list[float] = []
    ended: list[float] = []

    async def pay() -> None:
        began = time.monotonic()
        payment_id = await client.create(BODY)
        accepted.append(time.monotonic() - began)
        await client.wait_for(payment_id, lambda p: bool(p["status"] == "SUCCEEDED"))
        ended.append(time.monotonic() - began)

    async with asyncio.TaskGroup() as paying:
        for _ in range(PAYMENTS):
            paying.create_task(pay())
            await asyncio.sleep(EVERY_S)  # the client's rate
    return {"accepted": _p99(accepted), "ended": _p99(ended)}


@cache
def _kinds() -> tuple[bytes, ...]:
    """Returns the batch of each kind; making them takes longer than most payments."""
    return tuple(made for _, made in poison())


async def _poison(service: Stack, nth: int) -> None:
    """Publishes one kind of poison to every topic."""
    kinds = _kinds()
    client = AIOKafkaClient(bootstrap_servers=service.infrastructure.kafka_bootstrap)
    try:
        await client.bootstrap()
        for topic in (*PROCESSOR_SOURCES, PROVIDER_WEBHOOKS_UNROUTED):
            await publish(client, topic, 0, kinds[nth % len(kinds)])
    finally:
        await client.close()


async def _refused(service: Stack, _: int) -> None:
    """Sends requests that are refused: no API key, a wrong signature, an invalid body."""
    async with httpx.AsyncClient(base_url=service.url) as http:
        responses = [
            await http.post("/v1/payments", json=BODY),
            await http.post("/webhooks/stripe", content=b"{}", headers={"stripe-signature": "t=1"}),
            await http.post(
                "/v1/payments",
                content=b"[" * 1000,
                headers={"authorization": f"Bearer {service.api_key}", "idempotency-key": "k"},
            ),
        ]
    assert all(response.is_client_error for response in responses)


async def _slow(service: Stack, _: int) -> None:
    """Opens a connection that sends a header byte by byte, and one that sends nothing."""
    url = httpx.URL(service.url)
    idle = await asyncio.open_connection(url.host, url.port)
    _reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        with suppress(ConnectionError):  # the server may close it at the deadline
            for byte in b"POST /v1/payments HTTP/1.1\r\nX-Slow: yes":
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.02)  # the slowness is the attack
    finally:
        writer.close()
        idle[1].close()


async def _floods(service: Stack, _: int) -> None:
    """Sends an endless request head until the server refuses it."""
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
    """Repeats every attack during the block; yields how often each was completed."""
    completed = [0] * len(ATTACKS)
    over = asyncio.Event()

    async def repeat(number: int, attack: Callable[[Stack, int], Awaitable[None]]) -> None:
        while not over.is_set():  # never cancelled: a Kafka client would leak its connection
            await attack(service, completed[number])
            completed[number] += 1
            await asyncio.sleep(0.05)  # leaves time for the client in this process

    attacks: list[asyncio.Task[Any]] = [
        asyncio.create_task(repeat(number, attack)) for number, attack in enumerate(ATTACKS)
    ]
    try:
        yield completed
    finally:
        over.set()
        async with asyncio.timeout(ENDS_WITHIN_S):
            await asyncio.gather(*attacks)


def _limits(quiet: Times) -> Times:
    competition = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    return {what: max(3 * took, FLOOR_S[what] * competition) for what, took in quiet.items()}


async def test_attacks_do_not_slow_down_a_client(service: Stack, record_property: Any) -> None:
    """The 99th percentiles during the attacks are at most three times those without."""
    _kinds()  # made before the measurement, which they would delay in this process
    async with PaymentsClient(service.url, service.api_key) as client:
        for _ in range(ATTEMPTS):
            quiet = await _measured(client)
            async with _attacked(service) as completed:
                attacked = await _measured(client)
            record_property("p99_s", (quiet, attacked))
            assert all(completed), "an attack was never completed"
            limits = _limits(quiet)
            if all(attacked[what] <= limits[what] for what in limits):
                return
    raise AssertionError((quiet, attacked))

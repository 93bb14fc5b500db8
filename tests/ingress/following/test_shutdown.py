"""What becomes of clients that wait when their process ends."""

import asyncio
import signal

import httpx
import pytest

from ingress.http.serving import GRACE_S
from sandbox.supervision.ports import free_ports
from tests.conftest import PARTITIONS
from tests.ingress.harness import PAYMENT, keyed
from tests.ingress.http.test_serving import KEY, environment, started
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

SOON_S = 5.0


async def test_a_shutdown_ends_waits_with_202(kafka_bootstrap: str, run: str) -> None:
    """The process answers what it accepted, and ends before its grace is over."""
    (port,) = free_ports(1)
    settings = environment(
        PAYMENTS_KAFKA_BOOTSTRAP=kafka_bootstrap,
        PAYMENTS_PARTITIONS=str(PARTITIONS),
        PAYMENTS_INGRESS_PORT=str(port),
    )
    process = await started(settings)
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=40,
        ) as client:
            await until(lambda: _waits(client, run), 60)
            headers = {**keyed(run), "Prefer": "wait=30"}
            answer = asyncio.create_task(client.post("/v1/payments", json=PAYMENT, headers=headers))
            await until(lambda: _counts(client, 1), SOON_S)
            process.send_signal(signal.SIGTERM)
            response = await asyncio.wait_for(answer, SOON_S)
            assert response.status_code == 202
            assert response.headers["preference-applied"] == "wait=30"
            await asyncio.wait_for(process.wait(), GRACE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _waits(client: httpx.AsyncClient, key: str) -> bool:
    """Whether the service waits for decisions by now."""
    headers = {**keyed(f"{key}-first"), "Prefer": "wait=1"}
    try:
        response = await client.post("/v1/payments", json=PAYMENT, headers=headers)
    except httpx.TransportError:
        return False
    return "preference-applied" in response.headers


async def _counts(client: httpx.AsyncClient, count: int) -> bool:
    """Whether as many requests wait."""
    text = (await client.get("/metrics")).text
    return f"payments_ingress_waiting_requests {count}.0" in text

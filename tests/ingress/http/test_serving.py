"""``payments ingress`` as an operator runs it: a process with an environment."""

import asyncio
import hashlib
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from ingress import serve
from sandbox.supervision.ports import free_ports
from schemas.settings import IngressSettings
from tests.ingress.harness import PAYMENT, SECRETS, event, keyed, signed
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
UP_WITHIN_S = 60.0
KEY = "key-of-acme"


def environment(**changes: str | None) -> dict[str, str]:
    """Returns the ingress's environment with changes; None removes a variable."""
    wanted = {
        "PAYMENTS_API_KEYS": f"acme:{hashlib.sha256(KEY.encode()).hexdigest()}",
        "PAYMENTS_STRIPE_WEBHOOK_SECRETS": SECRETS[0],
        "PAYMENTS_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "PAYMENTS_DATABASE_URL": "postgresql://user:top-secret@127.0.0.1:1/payments",
        **changes,
    }
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("PAYMENTS_")
    }
    return inherited | {name: value for name, value in wanted.items() if value is not None}


async def started(variables: Mapping[str, str]) -> asyncio.subprocess.Process:
    """Starts the ingress in its own process."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "ingress"),
        cwd=ROOT,
        env=dict(variables),
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def serving(**changes: str) -> AsyncIterator[tuple[httpx.AsyncClient, list[str]]]:
    """Yields a client of a running ingress, and its log, which is complete after the context."""
    (port,) = free_ports(1)
    process = await started(environment(PAYMENTS_INGRESS_PORT=str(port), **changes))
    log: list[str] = []
    headers = {"Authorization": f"Bearer {KEY}"}
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20
        ) as client:

            async def up() -> bool:
                assert process.returncode is None, "the ingress exited"
                try:
                    return (await client.get("/healthz")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(up, UP_WITHIN_S)
            yield client, log
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            _, errors = await process.communicate()
        log += errors.decode().splitlines()
    assert process.returncode in {0, -signal.SIGTERM}


async def test_it_starts_and_stops_without_its_dependencies() -> None:
    """Without Kafka and Postgres it serves, reports that it isn't ready, and ends on SIGTERM."""
    async with serving() as (client, log):
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["kafka"] != "ok"
        response = await client.post("/v1/payments", json=PAYMENT, headers=keyed("k"))
        assert response.status_code == 503
        assert (await client.get("/v1/payments")).status_code == 503
        assert (await client.get("/nothing")).headers.get("server") is None
    assert all(line.startswith("{") and line.endswith("}") for line in log)
    assert not any(secret in "".join(log) for secret in ("top-secret", KEY, SECRETS[0]))


async def test_several_workers_share_their_metrics(kafka_bootstrap: str, database_url: str) -> None:
    """Every response of /metrics has the counts of both workers."""
    real = {"PAYMENTS_KAFKA_BOOTSTRAP": kafka_bootstrap, "PAYMENTS_DATABASE_URL": database_url}
    async with serving(**real, PAYMENTS_INGRESS_WORKERS="2") as (client, _):
        limits = httpx.Limits(max_keepalive_connections=0)  # each request may reach either worker

        async def ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await until(ready, UP_WITHIN_S)
        async with httpx.AsyncClient(base_url=client.base_url, limits=limits) as provider:
            accepted = 0
            for number in range(40):
                body = event({"id": f"pi_{number}"}, id=f"evt_{uuid.uuid4().hex}")
                response = await provider.post(
                    "/webhooks/stripe", content=body, headers=signed(body)
                )
                accepted += response.status_code == 200
            assert accepted >= 30  # a worker responds 503 just after its start
            line = (
                'payments_ingress_requests_total{method="POST",'
                f'route="/webhooks/{{provider}}",status="200"}} {accepted}.0'
            )
            for _ in range(5):
                assert line in (await provider.get("/metrics")).text


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PAYMENTS_API_KEYS", None),
        ("PAYMENTS_API_KEYS", "acme:not-a-hash"),
        ("PAYMENTS_STRIPE_WEBHOOK_SECRETS", None),
        ("PAYMENTS_STRIPE_WEBHOOK_SECRETS", ""),
        ("PAYMENTS_STRIPE_WEBHOOK_SECRETS", "whsec_a_good_one,"),
        ("PAYMENTS_KAFKA_BOOTSTRAP", None),
        ("PAYMENTS_KAFKA_BOOTSTRAP", "localhost:abc"),
        ("PAYMENTS_DATABASE_URL", None),
        ("PAYMENTS_INGRESS_PORT", "0"),
        ("PAYMENTS_INGRESS_HOST", "nonsense.invalid"),
        ("PAYMENTS_DEFAULT_PROVIDER", "nobody"),
        ("PAYMENTS_INGRES_PORT", "8080"),
    ],
)
async def test_wrong_settings_are_refused(variable: str, value: str | None) -> None:
    """It exits before listening; the error names the variable and contains no secret."""
    process = await started(environment(**{variable: value}))
    async with asyncio.timeout(UP_WITHIN_S):
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert variable in errors.decode()
    assert "Traceback" not in errors.decode()
    assert "top-secret" not in errors.decode()


@pytest.mark.parametrize(("own", "code"), [(0, 0), (1, 75), (3, 75)])
def test_a_failed_start_exits_with_a_documented_code(
    monkeypatch: pytest.MonkeyPatch, own: int, code: int
) -> None:
    """Uvicorn's codes mean something else in the table of exit codes."""

    def run(*_: object, **__: object) -> None:
        raise SystemExit(own)

    monkeypatch.setattr(uvicorn, "run", run)
    settings = IngressSettings(api_keys={hashlib.sha256(b"key").hexdigest(): "acme"})
    assert serve._serve(settings) == code

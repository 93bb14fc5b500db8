"""Health, metrics and the OpenAPI document."""

import json

import httpx
import pytest

from ingress.errors import BrokerUnavailableError
from tests.ingress.harness import PAYMENT, Log, event, keyed, signed

pytestmark = pytest.mark.anyio


async def test_liveness_needs_nothing(anonymous: httpx.AsyncClient, log: Log) -> None:
    """/healthz is 200 while nothing else works."""
    log.failure = BrokerUnavailableError("away", sent=False)
    assert (await anonymous.get("/healthz")).status_code == 200


async def test_readiness_needs_only_kafka(anonymous: httpx.AsyncClient, log: Log) -> None:
    """/readyz shows Kafka and Postgres, without reasons, which may contain addresses."""
    ready = await anonymous.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ok", "kafka": "ok", "postgres": "unavailable"}
    log.failure = BrokerUnavailableError("away", sent=False)
    not_ready = await anonymous.get("/readyz")
    assert not_ready.status_code == 503
    assert not_ready.json() == {
        "status": "not ready", "kafka": "unavailable", "postgres": "unavailable"
    }  # fmt: skip


async def test_metrics_are_labelled_by_route(
    acme: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    """Requests are counted by the route's template; no label contains text from a client."""
    await acme.post("/v1/payments", json=PAYMENT, headers=keyed("k"))
    await acme.get("/v1/payments/pay_private")
    await anonymous.get("/private")
    await anonymous.request("BREW", "/private")
    body = event({"id": "pi_1"})
    await anonymous.post("/webhooks/stripe", content=body, headers=signed(body))
    text = (await anonymous.get("/metrics")).text
    for line in (
        'requests_total{method="POST",route="/v1/payments",status="202"} 1.0',
        'requests_total{method="GET",route="/v1/payments/{id}",status="404"} 1.0',
        'requests_total{method="POST",route="/webhooks/{provider}",status="200"} 1.0',
        'requests_total{method="GET",route="unmatched",status="404"} 1.0',
        'requests_total{method="other",route="unmatched",status="404"} 1.0',
    ):
        assert line in text
    assert "private" not in text


async def test_the_document_is_complete(anonymous: httpx.AsyncClient) -> None:
    """OpenAPI lists every route, error examples, and the required headers and fields."""
    document = (await anonymous.get("/openapi.json")).json()
    paths = document["paths"]
    assert set(paths) == {
        "/v1/payments",
        "/v1/payments/{id}",
        "/v1/payments/{id}/confirm",
        "/v1/payments/{id}/capture",
        "/v1/payments/{id}/cancel",
        "/v1/payments/{id}/client-secret",
        "/v1/payments/{id}/refunds",
        "/v1/payments/{id}/timeline",
        "/v1/operations/{id}",
        "/webhooks/{provider}",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    create = paths["/v1/payments"]["post"]
    statuses = {"200", "202", "400", "401", "408", "413", "415", "422", "431", "500", "503"}
    assert statuses == set(create["responses"])
    examples = create["responses"]["422"]["content"]["application/problem+json"]["examples"]
    assert set(examples) == {"invalid-fields", "idempotency-key-reused"}
    key, prefer = create["parameters"]
    assert (key["name"], key["required"]) == ("Idempotency-Key", True)
    assert (prefer["name"], prefer["required"]) == ("Prefer", False)
    assert create["security"]
    body = create["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/CreateRequest"}
    assert "HTTPValidationError" not in json.dumps(document)


async def test_every_reference_of_the_document_resolves(anonymous: httpx.AsyncClient) -> None:
    """A client generator finds each schema that the document references."""
    text = (await anonymous.get("/openapi.json")).text
    schemas = json.loads(text)["components"]["schemas"]
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named
    assert named <= set(schemas)

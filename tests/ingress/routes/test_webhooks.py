"""Webhooks: verified over the raw bytes and published unchanged; a refused one isn't published."""

from datetime import datetime

import httpx
import pytest

from ingress.errors import BrokerUnavailableError
from ingress.metrics import Metrics
from schemas import headers, identity
from schemas.topics import PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED
from tests.ingress.harness import BODY_LIMIT, NOW, SECRETS, Log, assert_problem, event, signed

pytestmark = pytest.mark.anyio

PAYMENT_ID = identity.payment_id("acme", "order-1")
INTENT = {"id": "pi_1", "object": "payment_intent", "metadata": {"payment_id": PAYMENT_ID}}


async def deliver(
    client: httpx.AsyncClient, body: bytes, with_headers: dict[str, str] | None = None
) -> httpx.Response:
    """Delivers a webhook, correctly signed unless headers are given."""
    sent = signed(body) if with_headers is None else with_headers
    return await client.post("/webhooks/stripe", content=body, headers=sent)


async def test_a_webhook_is_published_unchanged(anonymous: httpx.AsyncClient, log: Log) -> None:
    """The record has the raw bytes, our payment ID as the key, and metadata in headers."""
    body = event(INTENT).replace(b'"created": 1', b'"created":   1 ')
    response = await deliver(anonymous, body)
    assert (response.status_code, response.json()) == (200, {"received": True})
    (record,) = log.records
    assert (record.topic, record.key, record.value) == (
        PROVIDER_WEBHOOKS,
        PAYMENT_ID.encode(),
        body,
    )
    sent_headers = headers.as_text(record.headers)
    assert datetime.fromisoformat(sent_headers.pop(headers.RECEIVED_AT)) == NOW
    assert sent_headers == {
        headers.EVENT_ID: "evt_1",
        headers.PROVIDER: "stripe",
        headers.OBJECT_ID: "pi_1",
    }


@pytest.mark.parametrize(
    ("about", "key"),
    [
        ({"id": "dp_1", "object": "dispute", "payment_intent": "pi_7"}, "pi_7"),
        ({"id": "pi_1", "object": "payment_intent", "metadata": {}}, "pi_1"),
        ({"id": "pi_1", "metadata": {"payment_id": "pay_not-one-of-ours"}}, "pi_1"),
        ({"id": "pi_1", "metadata": {"payment_id": f"{PAYMENT_ID}\n"}}, "pi_1"),
        ({"object": "balance"}, "evt_1"),
    ],
)
async def test_a_webhook_without_a_payment_id_goes_to_the_router(
    anonymous: httpx.AsyncClient, log: Log, about: dict[str, object], key: str
) -> None:
    """Without a valid payment ID the key is the object's ID, or else the event's."""
    body = event(about)
    assert (await deliver(anonymous, body)).status_code == 200
    (record,) = log.records
    assert (record.topic, record.key) == (PROVIDER_WEBHOOKS_UNROUTED, key.encode())
    assert record.value == body


@pytest.mark.parametrize("secret", SECRETS)
async def test_a_signature_with_any_current_secret_is_valid(
    anonymous: httpx.AsyncClient, log: Log, secret: str
) -> None:
    """Both secrets are valid during a rotation."""
    body = event(INTENT)
    assert (await deliver(anonymous, body, signed(body, secret))).status_code == 200
    assert len(log.records) == 1


BODY = event(INTENT)
BAD_SIGNATURES = {
    "missing": {},
    "empty": {"Stripe-Signature": ""},
    "nonsense": {"Stripe-Signature": "nonsense"},
    "no time": {"Stripe-Signature": "v1=abc"},
    "another secret": signed(BODY, "whsec_of_somebody_else"),
    "of other bytes": signed(BODY + b" "),
    "stale": signed(BODY, age_s=301),
}


@pytest.mark.parametrize("case", BAD_SIGNATURES)
async def test_a_bad_signature_is_400(
    anonymous: httpx.AsyncClient, log: Log, metrics: Metrics, case: str
) -> None:
    """The refusal is counted; nothing is published."""
    response = await deliver(anonymous, BODY, BAD_SIGNATURES[case])
    assert_problem(response, 400, "invalid-signature")
    assert log.records == []
    counted = b'rejected_webhooks_total{provider="stripe",reason="invalid-signature"} 1.0'
    assert counted in metrics.exposition()


async def test_an_altered_body_is_refused(anonymous: httpx.AsyncClient, log: Log) -> None:
    """The signature covers every byte of the body."""
    response = await deliver(anonymous, BODY.replace(b"evt_1", b"evt_2"), signed(BODY))
    assert_problem(response, 400, "invalid-signature")
    assert log.records == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id": 1}', b'{"object": "event"}'])
async def test_a_signed_body_of_unforeseen_form_is_kept(
    anonymous: httpx.AsyncClient, log: Log, metrics: Metrics, body: bytes
) -> None:
    """Only the provider signs. It is known by its digest, counted, and ends as a dead letter."""
    for _ in range(2):
        assert (await deliver(anonymous, body)).status_code == 200
    first, again = log.records
    assert (first.topic, first.value) == (PROVIDER_WEBHOOKS_UNROUTED, body)
    named = headers.as_text(first.headers)
    assert named[headers.EVENT_ID] == headers.as_text(again.headers)[headers.EVENT_ID]
    assert named[headers.EVENT_ID].startswith("unreadable.")
    assert headers.OBJECT_ID not in named
    assert b'unreadable_webhooks_total{provider="stripe"} 2.0' in metrics.exposition()


async def test_an_unknown_provider_is_404(anonymous: httpx.AsyncClient, log: Log) -> None:
    """Only configured providers have an address."""
    response = await anonymous.post("/webhooks/nobody", content=BODY, headers=signed(BODY))
    assert_problem(response, 404, "unknown-provider")
    assert log.records == []


async def test_a_large_webhook_is_413(
    anonymous: httpx.AsyncClient, log: Log, metrics: Metrics
) -> None:
    """A body over the limit is refused before its signature is checked."""
    body = event({**INTENT, "padding": "a" * BODY_LIMIT})
    assert_problem(await deliver(anonymous, body), 413, "body-too-large")
    assert log.records == []
    assert b'reason="body-too-large"} 1.0' in metrics.exposition()


async def test_a_publish_timeout_is_503(anonymous: httpx.AsyncClient, log: Log) -> None:
    """The 503 has a Retry-After, and the provider's next delivery is accepted."""
    log.failure = BrokerUnavailableError("not acknowledged in time", sent=True)
    refused = await deliver(anonymous, BODY)
    assert_problem(refused, 503, "broker-unavailable")
    assert "retry-after" in refused.headers
    log.failure = None
    assert (await deliver(anonymous, BODY)).status_code == 200


async def test_a_client_secret_is_not_published(anonymous: httpx.AsyncClient, log: Log) -> None:
    """The rest of the body is published as it came, and the signature is that of the whole body."""
    body = event({"id": "pi_1", "client_secret": "pi_1_secret_2", "amount": 1.50})
    response = await anonymous.post("/webhooks/stripe", content=body, headers=signed(body))
    assert response.status_code == 200
    (record,) = log.records
    assert record.value == body.replace(b'"pi_1_secret_2"', b"null")

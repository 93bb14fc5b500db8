"""Webhooks: verified over the raw bytes, published as they came, refused without a trace."""

from datetime import datetime

import httpx
import pytest

from ingress.errors import BrokerUnavailableError
from ingress.metrics import Metrics
from schemas import headers, identity
from schemas.topics import PROVIDER_WEBHOOKS, PROVIDER_WEBHOOKS_UNROUTED
from tests.ingress.harness import BODY_LIMIT, NOW, SECRETS, Log, assert_problem, event, signed

pytestmark = pytest.mark.anyio

OURS = identity.payment_id("acme", "order-1")
INTENT = {"id": "pi_1", "object": "payment_intent", "metadata": {"payment_id": OURS}}


async def deliver(
    client: httpx.AsyncClient, body: bytes, with_headers: dict[str, str] | None = None
) -> httpx.Response:
    """Delivers a webhook, rightly signed unless headers are given."""
    sent = signed(body) if with_headers is None else with_headers
    return await client.post("/webhooks/stripe", content=body, headers=sent)


async def test_a_webhook_is_published_as_it_came(nobody: httpx.AsyncClient, log: Log) -> None:
    """200 once the log has the raw bytes, with our payment ID as key and the rest in headers."""
    body = event(INTENT).replace(b'"created": 1', b'"created":   1 ')
    answer = await deliver(nobody, body)
    assert (answer.status_code, answer.json()) == (200, {"received": True})
    (record,) = log.records
    assert (record.topic, record.key, record.value) == (PROVIDER_WEBHOOKS, OURS.encode(), body)
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
        ({"id": "pi_1", "metadata": {"payment_id": f"{OURS}\n"}}, "pi_1"),
        ({"object": "balance"}, "evt_1"),
    ],
)
async def test_without_our_id_it_goes_to_the_router(
    nobody: httpx.AsyncClient, log: Log, about: dict[str, object], key: str
) -> None:
    """No payment ID, or none that is one: unrouted, keyed by the object, else by the event."""
    body = event(about)
    assert (await deliver(nobody, body)).status_code == 200
    (record,) = log.records
    assert (record.topic, record.key) == (PROVIDER_WEBHOOKS_UNROUTED, key.encode())
    assert record.value == body


@pytest.mark.parametrize("secret", SECRETS)
async def test_any_current_secret_will_do(nobody: httpx.AsyncClient, log: Log, secret: str) -> None:
    """While one secret replaces another, both hold."""
    body = event(INTENT)
    assert (await deliver(nobody, body, signed(body, secret))).status_code == 200
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
async def test_a_bad_signature_leaves_no_trace(
    nobody: httpx.AsyncClient, log: Log, metrics: Metrics, case: str
) -> None:
    """400 and one more on a counter; nothing is published."""
    answer = await deliver(nobody, BODY, BAD_SIGNATURES[case])
    assert_problem(answer, 400, "invalid-signature")
    assert log.records == []
    counted = b'rejected_webhooks_total{provider="stripe",reason="invalid-signature"} 1.0'
    assert counted in metrics.exposition()


async def test_an_altered_body_is_refused(nobody: httpx.AsyncClient, log: Log) -> None:
    """The signature is over the bytes: one character more, and it does not hold."""
    answer = await deliver(nobody, BODY.replace(b"evt_1", b"evt_2"), signed(BODY))
    assert_problem(answer, 400, "invalid-signature")
    assert log.records == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"id": 1}', b'{"object": "event"}'])
async def test_signed_bytes_that_are_no_event_are_400(
    nobody: httpx.AsyncClient, log: Log, metrics: Metrics, body: bytes
) -> None:
    """A right signature under something else is refused, and counted apart."""
    assert_problem(await deliver(nobody, body), 400, "malformed-event")
    assert log.records == []
    assert b'reason="malformed-event"} 1.0' in metrics.exposition()


async def test_an_unknown_provider_is_404(nobody: httpx.AsyncClient, log: Log) -> None:
    """Only providers that are set up have an address."""
    answer = await nobody.post("/webhooks/nobody", content=BODY, headers=signed(BODY))
    assert_problem(answer, 404, "unknown-provider")
    assert log.records == []


async def test_a_large_webhook_is_413(
    nobody: httpx.AsyncClient, log: Log, metrics: Metrics
) -> None:
    """A body over the limit is refused before its signature is looked at."""
    body = event({**INTENT, "padding": "a" * BODY_LIMIT})
    assert_problem(await deliver(nobody, body), 413, "body-too-large")
    assert log.records == []
    assert b'reason="body-too-large"} 1.0' in metrics.exposition()


async def test_no_answer_from_the_broker_is_503(nobody: httpx.AsyncClient, log: Log) -> None:
    """The provider is asked to retry, and its next delivery is accepted."""
    log.failure = BrokerUnavailableError("not acknowledged in time", sent=True)
    refused = await deliver(nobody, BODY)
    assert_problem(refused, 503, "broker-unavailable")
    assert "retry-after" in refused.headers
    log.failure = None
    assert (await deliver(nobody, BODY)).status_code == 200

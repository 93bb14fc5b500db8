"""Notices: an endpoint of their own, with secrets of its own, for each account that has one."""

from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from ingress.database import Database
from ingress.metrics import Metrics
from providers.stripe.notices.reading import StripeNotices
from schemas import headers
from schemas.topics import PROVIDER_WEBHOOKS_UNROUTED
from tests.ingress.harness import (
    BODY_LIMIT,
    NOW,
    SECRETS,
    Log,
    application,
    assert_problem,
    event,
    signed,
)
from tests.providers.stripe.notices.test_reading import thin

pytestmark = pytest.mark.anyio

OWN, OLD, SECOND = "whsec_of_notices", "whsec_old_of_notices", "whsec_of_the_second"
PATH = "/webhooks/stripe/notices"
SECOND_PATH = "/webhooks/stripe/second/notices"
BODY = thin()


@pytest.fixture
def app(log: Log, no_database: Database, metrics: Metrics) -> FastAPI:
    """An ingress in which the settings' account and a second one have endpoints for notices."""
    secrets = {"stripe": (OWN, OLD), "second": (SECOND,)}
    readers = [
        StripeNotices([SecretStr(s) for s in of], 300, lambda: datetime.now(UTC), name)
        for name, of in secrets.items()
    ]
    return application(log, no_database, metrics, notices=readers)


async def deliver(
    client: httpx.AsyncClient, body: bytes, secret: str, path: str = PATH
) -> httpx.Response:
    """Delivers a notice that is signed with this secret."""
    return await client.post(path, content=body, headers=signed(body, secret))


@pytest.mark.parametrize(
    ("path", "secret", "provider", "event_id"),
    [
        (PATH, OWN, "stripe", "evt_65thin"),
        (PATH, OLD, "stripe", "evt_65thin"),
        (SECOND_PATH, SECOND, "second", "second:evt_65thin"),
    ],
)
async def test_a_signed_notice_is_published_to_the_router(
    anonymous: httpx.AsyncClient, log: Log, path: str, secret: str, provider: str, event_id: str
) -> None:
    """Unchanged, marked as a notice, and of the account whose endpoint it came to."""
    response = await deliver(anonymous, BODY, secret, path)
    assert (response.status_code, response.json()) == (200, {"received": True})
    (record,) = log.records
    assert (record.topic, record.value) == (PROVIDER_WEBHOOKS_UNROUTED, BODY)
    assert record.key == event_id.encode()
    assert headers.as_text(record.headers) == {
        headers.EVENT_ID: event_id,
        headers.PROVIDER: provider,
        headers.RECEIVED_AT: NOW.isoformat(),
        headers.NOTICE: "true",
    }


async def test_a_webhook_is_not_marked_as_a_notice(anonymous: httpx.AsyncClient, log: Log) -> None:
    """The endpoint decides, not the form."""
    await anonymous.post("/webhooks/stripe", content=BODY, headers=signed(BODY))
    (record,) = log.records
    assert headers.NOTICE not in headers.as_text(record.headers)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (PATH, {}),
        (PATH, signed(BODY, SECRETS[0])),
        (PATH, signed(BODY, SECOND)),
        (PATH, signed(BODY + b" ", OWN)),
        (PATH, signed(BODY, OWN, age_s=301)),
        (SECOND_PATH, signed(BODY, OWN)),
    ],
    ids=["unsigned", "of webhooks", "another account's", "altered", "stale", "of the settings'"],
)
async def test_a_notice_that_its_own_secret_did_not_sign_is_refused(
    anonymous: httpx.AsyncClient, log: Log, metrics: Metrics, path: str, sent: dict[str, str]
) -> None:
    """It is counted, and nothing is published."""
    response = await anonymous.post(path, content=BODY, headers=sent)
    assert_problem(response, 400, "invalid-signature")
    assert log.records == []
    assert b'reason="invalid-signature"} 1.0' in metrics.exposition()


async def test_the_secret_of_notices_opens_no_other_endpoint(
    anonymous: httpx.AsyncClient, log: Log
) -> None:
    """What signs notices can't move a payment."""
    body = event({"id": "pi_1", "object": "payment_intent", "metadata": {}})
    response = await deliver(anonymous, body, OWN, "/webhooks/stripe")
    assert_problem(response, 400, "invalid-signature")
    assert log.records == []


async def test_a_notice_over_the_limit_is_413(anonymous: httpx.AsyncClient, log: Log) -> None:
    """As any body."""
    body = thin(padding="x" * BODY_LIMIT)
    assert_problem(await deliver(anonymous, body, OWN), 413, "body-too-large")
    assert log.records == []


async def test_a_signed_body_that_is_no_event_is_kept(
    anonymous: httpx.AsyncClient, log: Log, metrics: Metrics
) -> None:
    """As of webhooks: it is counted, and becomes a dead letter."""
    assert (await deliver(anonymous, b"{}", OWN)).status_code == 200
    (record,) = log.records
    assert headers.as_text(record.headers)[headers.NOTICE] == "true"
    assert b'unreadable_webhooks_total{provider="stripe"} 1.0' in metrics.exposition()


@pytest.mark.parametrize("path", ["/webhooks/examplepay/notices", "/webhooks/stripe/third/notices"])
async def test_an_account_without_such_an_endpoint_is_404(
    anonymous: httpx.AsyncClient, log: Log, path: str
) -> None:
    """It has none until it has secrets for it."""
    assert_problem(await deliver(anonymous, BODY, OWN, path), 404, "unknown-provider")
    assert log.records == []


async def test_the_api_document_has_the_endpoints_that_there_are(
    anonymous: httpx.AsyncClient,
) -> None:
    """And no other."""
    paths = (await anonymous.get("/openapi.json")).json()["paths"]
    names = {
        each["name"]: each["schema"]["enum"]
        for each in paths["/webhooks/{provider}/{account}/notices"]["post"]["parameters"]
    }
    assert names == {"provider": ["stripe"], "account": ["second"]}
    (own,) = paths["/webhooks/{provider}/notices"]["post"]["parameters"]
    assert own["schema"]["enum"] == ["stripe"]

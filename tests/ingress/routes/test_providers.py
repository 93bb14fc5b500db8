"""Several providers: each has its own webhook address, and a client may choose one."""

import httpx
import pytest

from ingress.command_builders import identify_create
from ingress.metrics import Metrics
from sandbox.examplepay_simulator.webhook_delivery import signature_headers
from schemas import headers, identity
from schemas.commands import VALUE, CreatePayment
from schemas.http import CreateRequest
from schemas.topics import PROVIDER_WEBHOOKS
from tests.conformance.kit.examplepay_adapter import ExamplePayAdapter
from tests.ingress.harness import (
    NOW,
    PAYMENT,
    SECOND_SECRET,
    FakeStore,
    Log,
    application,
    assert_problem,
    client_of,
    event,
    keyed,
    signed,
)

pytestmark = pytest.mark.anyio

PAYMENT_ID = identity.payment_id("acme", "order-1")


@pytest.mark.parametrize("named", ["stripe", "examplepay", None])
async def test_a_payment_goes_to_the_provider_it_names(
    acme: httpx.AsyncClient, log: Log, named: str | None
) -> None:
    """Without a name it goes to the default provider."""
    body = PAYMENT if named is None else {**PAYMENT, "provider": named}
    response = await acme.post("/v1/payments", json=body, headers=keyed("order-1"))
    assert response.status_code == 202
    command = VALUE.validate_json(log.records[0].value)
    assert isinstance(command, CreatePayment)
    assert command.provider == (named or "stripe")


@pytest.mark.parametrize("named", ["nobody", "Stripe", "", " stripe", 7])
async def test_an_unknown_provider_is_422(acme: httpx.AsyncClient, log: Log, named: object) -> None:
    """The problem names the field; nothing is published."""
    body = {**PAYMENT, "provider": named}
    response = await acme.post("/v1/payments", json=body, headers=keyed("order-1"))
    problem = assert_problem(response, 422, "invalid-fields")
    assert [each["field"] for each in problem["errors"]] == ["provider"]
    assert log.records == []


async def test_another_provider_is_another_body(log: Log, metrics: Metrics) -> None:
    """The same key with another provider is refused, because one key is one payment."""
    async with client_of(application(log, FakeStore(), metrics)) as acme:
        await create_with_both_providers(acme)
    assert len(log.records) == 1


async def create_with_both_providers(acme: httpx.AsyncClient) -> None:
    """Creates with the default provider, then with the other and the same key; that is refused."""
    await acme.post("/v1/payments", json=PAYMENT, headers=keyed("order-1"))
    body = {**PAYMENT, "provider": "examplepay"}
    response = await acme.post("/v1/payments", json=body, headers=keyed("order-1"))
    assert_problem(response, 422, "idempotency-key-reused")


async def test_null_is_the_same_as_an_omitted_field(acme: httpx.AsyncClient, log: Log) -> None:
    """A create with nulls is a replay of the one without these fields."""
    await acme.post("/v1/payments", json=PAYMENT, headers=keyed("order-1"))
    body = {**PAYMENT, "provider": None, "description": None}
    again = await acme.post("/v1/payments", json=body, headers=keyed("order-1"))
    assert (again.status_code, again.headers["idempotent-replayed"]) == (202, "true")
    assert len(log.records) == 1


def test_an_omitted_field_is_not_in_the_fingerprint() -> None:
    """A field added in a later release must not change the fingerprint of a retry."""
    body = CreateRequest.model_validate(PAYMENT)
    expected = {**PAYMENT, "capture_method": "automatic", "max_attempts": 1, "metadata": {}}
    assert identify_create("acme", "order-1", body).fingerprint == identity.fingerprint(expected)


async def test_each_provider_has_its_own_webhook_address(
    anonymous: httpx.AsyncClient, log: Log
) -> None:
    """That provider's reader verifies the webhook, which is published with its name."""
    body = ExamplePayAdapter.payment_event("ntf-1", PAYMENT_ID)
    sent = signature_headers("ntf-1", body, SECOND_SECRET, int(NOW.timestamp()))
    response = await anonymous.post("/webhooks/examplepay", content=body, headers=sent)
    assert (response.status_code, response.json()) == (200, {"received": True})
    (record,) = log.records
    assert (record.topic, record.key, record.value) == (
        PROVIDER_WEBHOOKS,
        PAYMENT_ID.encode(),
        body,
    )
    sent_headers = headers.as_text(record.headers)
    assert sent_headers[headers.PROVIDER] == "examplepay"
    assert sent_headers[headers.EVENT_ID] == "examplepay:ntf-1"
    assert sent_headers[headers.OBJECT_ID] == "payment-1"


async def test_one_providers_signature_is_invalid_for_another(
    anonymous: httpx.AsyncClient, log: Log
) -> None:
    """A correctly signed webhook sent to the other provider's address is refused, both ways."""
    body = ExamplePayAdapter.payment_event("ntf-1", PAYMENT_ID)
    sent = signature_headers("ntf-1", body, SECOND_SECRET, int(NOW.timestamp()))
    response = await anonymous.post("/webhooks/stripe", content=body, headers=sent)
    assert_problem(response, 400, "invalid-signature")
    other = event({"id": "pi_1"})
    response = await anonymous.post("/webhooks/examplepay", content=other, headers=signed(other))
    assert_problem(response, 400, "invalid-signature")
    assert log.records == []


async def test_the_documentation_names_the_providers(anonymous: httpx.AsyncClient) -> None:
    """It lists exactly the configured providers."""
    document = (await anonymous.get("/openapi.json")).json()
    (parameter,) = document["paths"]["/webhooks/{provider}"]["post"]["parameters"]
    assert parameter["schema"]["enum"] == ["examplepay", "stripe"]
